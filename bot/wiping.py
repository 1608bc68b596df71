"""A process that serves starts with an allocator that overwrites what it frees, and no process leaves a core file.

Python cannot wipe a value that cannot change: a key, a passphrase or a sentence stays in memory after its last use,
until something else happens to lie there. So memory is taken from the C library alone, and that is told to overwrite
each block when it is given back (glibc's `perturb`; its per-thread cache would skip that, so it is off). Both are read
when a process begins, which is why it begins again. Children inherit them. Another C library ignores the second.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

ALLOCATOR: Final[Mapping[str, str]] = MappingProxyType(
    {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}
)
_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_SERVING: Final = ("demo", "serve", "worker")


def wipe_what_is_freed(arguments: Sequence[str]) -> None:
    """If these serve: start this very command again under that allocator, as the same process.

    Returns when it runs so already. What an operator has set is left alone.
    """
    missing = {name: value for name, value in ALLOCATOR.items() if name not in os.environ}
    if missing and arguments and arguments[0] in _SERVING:
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **missing})  # noqa: S606 - our own command, no shell


def leave_no_core() -> None:
    """From here on a crash leaves no key and no word on the disk, also that of a program started later.

    The limit forbids a core file. It does not bind a program that the kernel hands the core to (core(5)), so on Linux
    nothing of the memory is in a core, which a child inherits. Even such a core has the processor's registers, with
    what was copied last; so the kernel makes none of this process. Nor does it let another process of the same user
    read its memory and environment. A program that is started later has to ask for that itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # another system, or no /proc
        Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
