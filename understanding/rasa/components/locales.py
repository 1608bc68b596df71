"""Tells Rasa which language every training example is written in: the folder that its nlu.yml lies in.

Rasa's own reader reads the files as they stand; nothing is changed in an example but that note in its metadata. With
RASA_MOST_EXAMPLES in the environment so many of each language are taken, spread over the file: enough to try every
part of the pipeline quickly (`.ci/rasa short`), too few to serve people with.
"""

import os
from pathlib import Path

from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.constants import METADATA
from rasa.shared.nlu.training_data.loading import load_data
from rasa.shared.nlu.training_data.training_data import TrainingData

LANGUAGE = "language"
MOST = int(os.environ.get("RASA_MOST_EXAMPLES", "0"))


class Locales(RasaFileImporter):
    """Rasa's importer of files, one locale after the other."""

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        """Every locale's examples, in the order of their tags."""
        files = sorted(path for path in map(Path, self._nlu_files) if path.name == "nlu.yml")
        return TrainingData().merge(*(self._one(path, language) for path in files))

    @staticmethod
    def _one(path: Path, language: str | None) -> TrainingData:
        data = load_data(str(path), language)
        for example in data.nlu_examples:
            example.set(METADATA, {**(example.get(METADATA) or {}), LANGUAGE: path.parent.name})
        step = max(1, len(data.training_examples) // MOST) if MOST else 1
        return TrainingData(data.training_examples[::step], regex_features=data.regex_features)
