"""What other programs see of our environment when we start them. Needed before anything else, so it imports nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "TZ", "XDG_RUNTIME_DIR")
"""A provider's token is none of their business, and the embedded server may run as another user, who could read it
there."""


@contextmanager
def without_secrets() -> Iterator[None]:
    """This process's environment, cut down while a program is started that inherits it."""
    whole = dict(os.environ)
    for name in set(whole) - set(PASSED_ON):
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(whole)
