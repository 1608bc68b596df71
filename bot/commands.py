"""`harborline serve` and `harborline worker`: one process, or several that are kept running."""

import os
import sys
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from bot.context import Context
from bot.errors import CommandFailed
from bot.processes import Child, keep_running
from bot.serve import serve_web, serve_worker, stop_signal
from bot.settings import Settings
from dialogs.marked import BadFile
from vault.database import EmbeddedPostgres, migrate
from vault.errors import NoKeyRing
from vault.keys import init_key_ring


async def serve(context: Context) -> None:
    """Migrate the database, then answer webhooks and staff."""
    settings = ready(context.settings)
    migrate(settings.database_url)
    if context.arguments.workers > 1:
        await _several(context, settings, "serve")
        return
    shared = os.environ.get(_SHARED) == "yes"
    await _explained(serve_web(settings, context.log, share_ports=shared))


async def worker(context: Context) -> None:
    """Do the jobs."""
    settings = ready(context.settings)
    if context.arguments.workers > 1:
        await _several(context, settings, "worker")
        return
    await _explained(serve_worker(settings, context.log))


def ready(settings: Settings) -> Settings:
    """Settings with a database address: the embedded PostgreSQL is started or joined when none was given."""
    if settings.database_url:
        return settings
    init_key_ring(settings.key_ring)  # a machine of its own begins with keys of its own
    return replace(settings, database_url=EmbeddedPostgres(settings.harborline_home / "postgres").start())


_SHARED = "HARBORLINE_SHARE_PORTS"  # set by the parent for web processes that listen on one port together


async def _several(context: Context, settings: Settings, command: str) -> None:
    environment = dict(os.environ) | {"DATABASE_URL": settings.database_url, _SHARED: "yes"}
    children = [
        Child(name=f"{command}-{number}", command=(sys.executable, "-m", "bot", command), environment=environment)
        for number in range(1, context.arguments.workers + 1)
    ]
    await keep_running(children, context.log, stop_signal())


async def _explained(work: Coroutine[Any, Any, None]) -> None:
    """Turn what an operator can mend into one sentence."""
    try:
        await work
    except (BadFile, NoKeyRing) as error:
        raise CommandFailed(str(error), status=2) from None
    except FileNotFoundError as error:
        raise CommandFailed(f"{error.filename} is missing: write it, or set HARBORLINE_HOME to its folder.") from None
