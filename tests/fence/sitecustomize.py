"""The network fence: no Python process of a test run speaks to another machine.

Python imports this file by its name at start, in every process that has this folder on PYTHONPATH, so the fence also
stands round the web and worker processes that a test starts. An audit hook cannot be taken down again. Nothing else
may live here: it is imported before any test and before any room.
"""

import sys
from ipaddress import ip_address

_NAMES = {"", "localhost", "ip6-localhost"}


class OutsideTheFence(RuntimeError):
    """A test reached for another machine. Give it a practice carrier or a closed port on 127.0.0.1 instead.

    Not an OSError, so that code which retries after a network failure cannot swallow it.
    """


def _is_here(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in _NAMES:
        return host is None or isinstance(host, str)
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"}:
        target = arguments[1]
        if not isinstance(target, tuple):  # a path: a Unix socket stays on this machine
            return
        host = target[0]
    elif event in {"socket.gethostbyname", "socket.gethostbyaddr"}:
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        raise OutsideTheFence("a test tried to reach another machine; tests speak to 127.0.0.1 and ::1 only")


def raise_fence() -> None:
    """Stand the fence round this process, once."""
    if not getattr(sys, "_harborline_fence", False):
        sys._harborline_fence = True  # type: ignore[attr-defined]  # survives a second import under another name
        sys.addaudithook(_watch)


raise_fence()
