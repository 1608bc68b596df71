"""Values sealed and locked once and kept as files: what an older release sealed, every later one must open, or refuse.

A vector is a text file in tests/vectors: `name: value` lines (what to do, key, context, the expected outcome), an empty
line, and the value in hex. `outcome: opens` needs `plaintext`; `outcome: refused` means CannotOpen and nothing else.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from vault.errors import CannotOpen
from vault.sealing import PrivateKey, lock, new_private_key, open_sealed, seal, unlock

VECTORS: Final = Path(__file__).parent / "vectors"
VERBS: Final[Mapping[str, Callable[[bytes, bytes, str], bytes]]] = {
    "open": lambda value, key, context: open_sealed(value, PrivateKey(key), context),
    "unlock": unlock,
}


def read(path: Path) -> tuple[dict[str, str], bytes]:
    """Header and value of a vector."""
    header, _, value = path.read_text(encoding="utf-8").partition("\n\n")
    return dict(line.split(": ", 1) for line in header.splitlines()), bytes.fromhex(value)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_vector_has_its_expected_outcome(path: Path) -> None:
    header, value = read(path)
    verb, key, context = VERBS[header["verb"]], bytes.fromhex(header["key"]), header.get("context", "")
    if header["outcome"] == "opens":
        assert verb(value, key, context) == bytes.fromhex(header["plaintext"])
    else:
        assert header["outcome"] == "refused"
        with pytest.raises(CannotOpen):
            verb(value, key, context)


@pytest.mark.parametrize("verb", VERBS)
def test_every_kind_of_harm_has_a_vector(verb: str) -> None:
    names = {path.stem.removeprefix(f"{verb}-") for path in VECTORS.glob(f"{verb}-*.txt")}
    assert names >= {
        "good",
        "good-empty",
        "good-long",
        "wrong-key",
        "wrong-context",
        "wrong-version",
        "truncated",
        "truncated-header",
        "extended",
        "flipped-first",
        "flipped-last",
        "empty",
        "padding-too-long",
    }


def test_no_two_seals_of_the_same_words_are_alike() -> None:
    key = new_private_key()
    assert seal(b"words", key.public, "") != seal(b"words", key.public, "")
    assert lock(b"words", b"k" * 32, "") != lock(b"words", b"k" * 32, "")
