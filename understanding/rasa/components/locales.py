"""Tells Rasa which language every training example is written in: the folder that its nlu.yml lies in.

Rasa's own reader reads the files as they stand; nothing is changed in an example but that note in its metadata. The
patterns of one signal become one, over all languages: a feature says that words of a signal fired, as in the embedded
engine, and Rasa looks for a score of patterns in every text instead of hundreds. With RASA_LANGUAGES (tags) and
RASA_MOST_EXAMPLES in the environment so many examples of those languages are taken, spread over the file: enough to try
every part of the pipeline quickly (`.ci/rasa short`), too few to serve people with.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.constants import METADATA
from rasa.shared.nlu.training_data.loading import load_data
from rasa.shared.nlu.training_data.training_data import TrainingData

LANGUAGE = "language"
LANGUAGES = os.environ.get("RASA_LANGUAGES", "").split()
MOST = int(os.environ.get("RASA_MOST_EXAMPLES", "0"))


class Locales(RasaFileImporter):
    """Rasa's importer of files, one locale after the other."""

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        """Every locale's examples, in the order of their tags."""
        files = sorted(path for path in map(Path, self._nlu_files) if path.name == "nlu.yml")
        wanted = [path for path in files if not LANGUAGES or path.parent.name in LANGUAGES]
        data = TrainingData().merge(*(self._one(path, language) for path in wanted))
        data.regex_features = _by_signal(data.regex_features)
        return data

    @staticmethod
    def _one(path: Path, language: str | None) -> TrainingData:
        data = load_data(str(path), language)
        for example in data.nlu_examples:
            example.set(METADATA, {**(example.get(METADATA) or {}), LANGUAGE: path.parent.name})
        step = max(1, len(data.training_examples) // MOST) if MOST else 1
        return TrainingData(data.training_examples[::step], regex_features=data.regex_features)


def _by_signal(patterns: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """One pattern a signal. Python keeps 512 compiled: with more, Rasa would compile each anew for every text."""
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        found.setdefault(pattern["name"], []).append(f"(?:{pattern['pattern']})")
    return [{"name": name, "pattern": "|".join(found[name])} for name in sorted(found)]
