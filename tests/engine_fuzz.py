"""The embedding process as a parser to fuzz: hostile text goes the way messages go, cleaned, to the real libraries.

A finding is a process that dies, hangs or answers something that is no unit vector. The short run of the gate is in
test_understanding_faults.py, the long one is bench/fuzz_engine.py.
"""

import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from tests.fuzzing import Parser
from understanding.child import Child, command
from understanding.text import clean, windows

EXAMPLES: Final = tuple(
    text.encode()
    for text in (
        "he locked us in and he has a knife",
        "صاحب العمل أخذ جوازات السفر",
        "मालिक ने हमारे कागज रख लिए",
        "老板扣了我们的护照 三个月没发工资了",
        "ช่วยด้วย เขาขังเราไว้",
        "ንስኻ ኣብ ገዛ ኣለኻ",
        "👩\u200d👩\u200d👧\u200d👦 help 🆘",
        "\ufdfa\ufdfb\u0344\u1e9b\u0323",
        "a\u0301\u0302\u0303\u0304" * 8,
        "\u1100\u1161\u11a8" * 12,
        "".join(chr(code) for code in range(0x300, 0x370, 3)),
        "".join(chr(code) for code in range(0x1D400, 0x1D500, 9)),
        "ﬀ ﬁ ﬂ ㍿ ㌀ ½ Ⅷ ①",
        "\u202e\u2066abc\u2069",
    )
)
_PLANES: Final = (0, 0, 0, 1, 2, 3, 14, 15, 16)


@asynccontextmanager
async def engine_parser(arguments: Sequence[str] | None = None, seconds: float = 20.0) -> AsyncIterator[Parser]:
    """The parser over one real process (or another one), which lives as long as nothing harms it."""
    child = await Child.begin(arguments or command())
    numbers = iter(range(1, 1 << 40))
    try:
        await child.prepared(60.0)

        async def feed(body: bytes) -> str:
            text = _widened(body)
            pieces = windows(clean(text))
            if not pieces:
                return "nothing to read"
            number = next(numbers)
            reading = await child.ask(number, pieces[0], language=number % 4 == 0, seconds=seconds)
            length = float(np.linalg.norm(reading.vector))
            if not 0.99 < length < 1.01:
                raise ValueError(f"a vector of length {length}")
            return _kind(pieces[0])

        yield Parser(examples=EXAMPLES, feed=feed)
    finally:
        await child.end()


def _widened(body: bytes) -> str:
    """Any bytes as text; every third one as code points of a plane, so that no block stays unvisited."""
    if len(body) % 3 or len(body) < 4:
        return body.decode("utf-8", "surrogateescape" if len(body) % 2 else "replace")
    plane = _PLANES[body[0] % len(_PLANES)]
    pairs = zip(body[1::2], body[2::2], strict=False)
    return "".join(chr((plane << 16) + (high << 8) + low) for high, low in pairs)


def _kind(text: str) -> str:
    """Categories and scripts that a text has: what is new is damaged further."""
    blocks = sorted({unicodedata.name(c, "?").split(" ")[0] for c in text})
    return f"{len(text) // 40}/{' '.join(blocks[:3])}"
