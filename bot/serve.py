"""The long-running processes: web (webhooks and console) and worker (jobs, and Telegram's long polling).

Both run until SIGTERM or SIGINT, and both outlive a database that goes away.
"""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from procrastinate.exceptions import ConnectorException

from bot.app import Refusals, console_app, open_house, public_app
from bot.doorway import GRACE, listening
from bot.house import House
from bot.jobs import QUEUES
from bot.logs import Log
from bot.lookout import watch_peers
from bot.settings import Settings
from bot.turn import Turns
from channels.messages import ChannelName, SendError
from channels.telegram import Telegram

_PAUSE: Final = 1.0  # seconds before a worker that lost its database looks again
_POLLING: Final = 0x68_61_72_62_70_6F_6C  # whoever holds this lock polls Telegram; PostgreSQL frees a dead holder's


def stop_signal() -> asyncio.Event:
    """Set on SIGTERM and SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def serve_web(settings: Settings, log: Log, *, share_ports: bool = False) -> None:
    """Webhooks on the public port, staff on the console port."""
    stop = stop_signal()
    async with (
        open_house(settings, log) as house,
        listening(public_app(house), settings.listen, settings.public_port, share=share_ports),
        listening(console_app(house), settings.listen, settings.console_port, share=share_ports),
    ):
        log.info("web.ready", port=settings.public_port)
        await _until(stop, log, [asyncio.create_task(_register_telegram(house, stop))])


async def serve_worker(settings: Settings, log: Log) -> None:
    """Jobs of every queue, and Telegram's long polling where there is no webhook."""
    stop = stop_signal()
    async with open_house(settings, log) as house:
        log.info("worker.ready")
        work = [asyncio.create_task(_work(house, queue, count, stop)) for queue, count in QUEUES.items()]
        beside = [asyncio.create_task(task(house, stop)) for task in (_poll_telegram, watch_peers)]
        await _until(stop, log, [*work, *beside])


async def _until(stop: asyncio.Event, log: Log, tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """Run until told to stop, or until a task breaks: then the process ends, and whoever keeps it starts it anew.

    A process that lives on without its work would be the worst of all: nobody is paged and nothing looks wrong.
    """
    stopping = asyncio.create_task(stop.wait())
    pending = {stopping, *tasks}
    broken: BaseException | None = None
    while not stopping.done() and broken is None:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        broken = next((error for task in done if (error := task.exception())), None)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if broken is not None:
        log.failure("process.broken", broken)
        raise broken


async def _work(house: House, queue: str, at_once: int, stop: asyncio.Event) -> None:
    """Run one queue's worker, again and again: it ends when its database goes away."""
    while not stop.is_set():
        try:
            await house.vault.jobs.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=at_once,
                install_signal_handlers=False,
                fetch_job_polling_interval=1.0,  # seconds by which a wake-up may be late
                delete_jobs="successful",
                update_heartbeat_interval=5.0,
                stalled_worker_timeout=20.0,
                shutdown_graceful_timeout=GRACE,
            )
        except (ConnectorException, psycopg.OperationalError, ExceptionGroup) as error:
            house.log.failure("worker.lost_database", error)
            await asyncio.sleep(_PAUSE)


async def _register_telegram(house: House, stop: asyncio.Event) -> None:
    """Tell Telegram where to deliver, until it has understood."""
    telegram = house.channels.get(ChannelName.TELEGRAM)
    settings = house.settings
    if not isinstance(telegram, Telegram) or not settings.telegram_webhook_secret:
        return
    while not stop.is_set():
        try:
            await telegram.register_webhook(settings.public_url, settings.telegram_webhook_secret)
            return
        except SendError as error:
            house.log.warning("telegram.not_registered", code=error.code)
            await asyncio.sleep(min(error.after or 5, 60))


async def _poll_telegram(house: House, stop: asyncio.Event) -> None:
    """Poll in exactly one process: whoever holds PostgreSQL's lock, for as long as that connection lives."""
    telegram = house.channels.get(ChannelName.TELEGRAM)
    if not isinstance(telegram, Telegram) or house.settings.telegram_webhook_secret:
        return
    while not stop.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(house.settings.database_url, autocommit=True) as holder:
                await _poll_while_holding(house, telegram, holder)
        except psycopg.Error as error:
            house.log.failure("telegram.lost_lock", error)
        await asyncio.sleep(_PAUSE)


async def _poll_while_holding(
    house: House, telegram: Telegram, holder: "psycopg.AsyncConnection[tuple[bool, ...]]"
) -> None:
    row = await (await holder.execute("SELECT pg_try_advisory_lock(%s)", [_POLLING])).fetchone()
    if not row or not row[0]:
        return
    lost = asyncio.Event()
    polling = asyncio.create_task(telegram.poll(Turns(house).take, Refusals(house), lost))
    try:
        while not polling.done():
            await holder.execute("SELECT 1")  # raises when the connection, and with it the lock, is gone
            await asyncio.sleep(_PAUSE)
        await polling
    finally:
        lost.set()
        with contextlib.suppress(asyncio.CancelledError):
            await polling
