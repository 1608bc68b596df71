"""How bad a message is, and what it shows: `level` and `signals` in Rasa's answer, which Rasa itself has no word for.

One head for danger, one for concern, one a signal, learnt from `level` and `signals` in the examples' metadata, over
the features that the featurizers before it made. The arithmetic is that of the embedded engine's heads
(understanding/training/solve.py): a kernel machine, calibrated on the margin every example has when it is left out.
So a score means the same from both engines, and thresholds need not know which one read.
"""

from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.exceptions import RasaException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, METADATA, METADATA_EXAMPLE, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack, vstack

from understanding.training.solve import platt, ridge

DANGER, CONCERN = "danger", "concern"
LEVELS = ("information", "standard", "high", "emergency")
ENOUGH = 20
"""A signal with fewer examples gets no head."""
BIAS = 0.2
PATTERNS = "patterns"
"""The alias of the RegexFeaturizer in config.yml."""
PATTERN_WEIGHT = 0.35
"""How much patterns weigh beside an n-gram vector of length 1."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class Danger(GraphComponent):
    """Calibrated probabilities of danger, concern and signals. Leaves the intent alone."""

    @classmethod
    def required_components(cls) -> list[type]:
        """It reads features."""
        return [Featurizer]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Width of the Gaussian kernel over vectors, weight of the sparse features beside it, and the ridge."""
        return {"gamma": 1.0, "surface": 0.3, "penalty": 0.15}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Rasa asks for this; there is nothing that could be wrong."""

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        """`storage` and `resource` are where Rasa keeps what is learnt."""
        self._config, self._storage, self._resource = config, storage, resource
        self._names: tuple[str, ...] = ()
        self._vectors = np.zeros((0, 384), dtype=np.float32)
        self._dual = np.zeros((0, 0), dtype=np.float32)
        self._surface = np.zeros((0, 0), dtype=np.float32)
        self._sigmoids = np.zeros((2, 0), dtype=np.float32)

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "Danger":
        """A component that has learnt nothing yet."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **_: Any,
    ) -> "Danger":
        """A component with what was learnt. Data only, no pickle."""
        made = cls.create(config, model_storage, resource, execution_context)
        with model_storage.read_from(resource) as folder, np.load(folder / "heads.npz", allow_pickle=False) as stored:
            made._names = tuple(str(name) for name in stored["names"])
            made._vectors, made._dual = stored["vectors"].astype(np.float32), stored["dual"]
            made._surface, made._sigmoids = stored["surface"], stored["sigmoids"]
        return made

    def train(self, training_data: TrainingData) -> Resource:
        """Fit all heads at once."""
        examples = training_data.training_examples
        targets = _targets(examples)
        vectors = np.concatenate([_vector(example) for example in examples]).astype(np.float64)
        surface = vstack([_sparse(example) for example in examples]).tocsr()
        signs = np.stack([np.where(fires, 1.0, -1.0) for fires in targets.values()], axis=1)
        gram = self._near(vectors @ vectors.T)
        gram += self._config["surface"] * (surface @ surface.T).toarray() + BIAS
        solved = ridge(gram, signs, self._config["penalty"])
        dual, margins = solved.coefficients, solved.left_out
        fits = [platt(margins[:, i], fires) for i, fires in enumerate(targets.values())]
        slopes, offsets = np.array(fits).T
        self._names = tuple(targets)
        self._vectors = vectors.astype(np.float32)
        self._dual = dual.astype(np.float32)
        self._surface = (self._config["surface"] * (surface.T @ dual)).astype(np.float32)
        self._sigmoids = np.stack([slopes, offsets + slopes * BIAS * dual.sum(axis=0)]).astype(np.float32)
        self._persist()
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Nothing comes after this component that would learn from what it says."""
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Add `level` and `signals` to what Rasa answers. A message without features gets neither."""
        for message in messages:
            if message.get_dense_features(TEXT)[1] is None:
                continue
            scores = self._scores(message)
            message.set("level", {name: scores.pop(name) for name in (DANGER, CONCERN)}, add_to_output=True)
            signals = [{"name": name, "score": score} for name, score in sorted(scores.items(), key=lambda s: -s[1])]
            message.set("signals", signals, add_to_output=True)
        return messages

    def _scores(self, message: Message) -> dict[str, float]:
        near = self._near(_vector(message) @ self._vectors.T)
        margins = (near @ self._dual + _sparse(message) @ self._surface)[0]
        slopes, offsets = self._sigmoids
        shares = 1.0 / (1.0 + np.exp(-np.clip(slopes * margins + offsets, -30, 30)))
        return dict(zip(self._names, map(float, shares), strict=True))

    def _near(self, products: np.ndarray) -> np.ndarray:
        """Gaussian kernel of vectors of length 1, from their scalar products."""
        return np.exp(-self._config["gamma"] * np.maximum(2.0 - 2.0 * products, 0.0))

    def _persist(self) -> None:
        with self._storage.write_to(self._resource) as folder:
            np.savez(
                folder / "heads.npz",
                names=np.array(self._names),
                vectors=self._vectors.astype(np.float16),
                dual=self._dual,
                surface=self._surface,
                sigmoids=self._sigmoids,
            )


def _targets(examples: list[Message]) -> dict[str, np.ndarray]:
    """Name of each head, and which examples it should fire for."""
    said = [(example.get(METADATA) or {}).get(METADATA_EXAMPLE) or {} for example in examples]
    levels = [metadata.get("level") for metadata in said]
    if strange := set(levels) - set(LEVELS):
        raise RasaException(f"an example in locales/*/nlu.yml has the level {strange.pop()!r}: use {', '.join(LEVELS)}")
    shown = [set(metadata.get("signals") or ()) for metadata in said]
    wanted = {DANGER: [level == "emergency" for level in levels]}
    wanted[CONCERN] = [level in ("emergency", "high") for level in levels]
    names = sorted(set().union(*shown))
    wanted.update({name: fires for name in names if sum(fires := [name in signals for signals in shown]) >= ENOUGH})
    return {name: np.array(fires) for name, fires in wanted.items()}


def _vector(message: Message) -> np.ndarray:
    """The dense sentence feature, one row."""
    return message.get_dense_features(TEXT)[1].features


def _sparse(message: Message) -> csr_matrix:
    """The sparse sentence features in one row: n-grams damped by logarithm and of length 1, patterns beside them."""
    blocks = []
    for feature in message.features:
        if feature.is_sparse() and feature.type == FEATURE_TYPE_SENTENCE and feature.attribute == TEXT:
            block = csr_matrix(feature.features, dtype=np.float64).log1p()
            length = np.sqrt(block.multiply(block).sum()) or 1.0
            blocks.append(block * ((PATTERN_WEIGHT if feature.origin == PATTERNS else 1.0) / length))
    return csr_matrix(hstack(blocks))
