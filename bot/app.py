"""Builds and wires everything: settings and line.yml in, a House out; and the web applications of a house."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.desk import Desk
from bot.feed import Feed
from bot.front import front_routes, lock_down
from bot.house import House
from bot.jobs import Jobs
from bot.keeping import watching
from bot.line import Line, read_line
from bot.logs import Log
from bot.metrics import metrics
from bot.pager import Pager
from bot.recordings import Recordings
from bot.report import BLOCKED, DRILL
from bot.scenarios import read_scenarios, unplayable
from bot.script import read_script
from bot.sending import Sending
from bot.settings import Settings
from bot.turn import Turns
from bot.world import World
from channels.messages import Channel, ChannelName
from channels.refusals import RULES
from channels.sms import Sms
from channels.telegram import Telegram
from channels.twilio import Twilio, TwilioAccount
from channels.voice import Voice
from console.app import build as build_console
from console.setup import Scenario, Setup
from dialogs.conversation import Mode
from dialogs.marked import BadFile
from dialogs.phrases import LOCALES, Phrases
from understanding.rasa import Rasa
from understanding.tongues import NAMES
from understanding.understand import Understanding
from vault.keys import KeyRing, read_key_ring
from vault.pseudonyms import Pseudonyms
from vault.sealing import Effort
from vault.unit import Vault, database_engine, job_app

_WARM: Final = 5.0  # seconds for a first text that nobody waits for: it brings the engine's tables into memory
_LOG_AGAIN: Final = timedelta(minutes=1)
_BLOCKED: Final = (
    "They wrote STOP, so their carrier lets no text of ours through. Answers wait until they write START. "
    "They can also call, or open their code by another way."
)

_DRILL: Final = "This case is a drill. Nobody is in danger, and nothing you write leaves the line."


@asynccontextmanager
async def open_house(settings: Settings, log: Log, *, world: World | None = None) -> AsyncIterator[House]:
    """Everything one process needs, opened; and closed at the end.

    Raises BadFile (line.yml, flows, phrases), NoKeyRing, and what the database raises when it cannot be reached.
    """
    world = world or World()
    line = read_line(settings.line_file)
    script = read_script(settings.harborline_home, line.languages, cover=line.cover_is)
    phrases = script.phrases
    ring = read_key_ring(settings.key_ring)
    jobs = job_app(settings.database_url)
    vault = Vault(
        engine=database_engine(settings.database_url), jobs=jobs, ring=ring, now=world.now, new_id=world.new_id
    )
    understanding = Understanding(rasa=Rasa(settings.rasa_url) if settings.rasa_url else None)
    house = House(
        settings=settings,
        line=line,
        world=world,
        log=log,
        vault=vault,
        pseudonyms=Pseudonyms(ring, Effort(), world.now),
        understanding=understanding,
        flow=script.flow,
        phrases=phrases,
        facts=line.facts(phrases.lexicon()),
        pager=Pager(line=line, world=world, phrases=phrases, console_url=settings.console_url),
        channels=_channels(settings, line),
        recordings=recordings_of(settings, line, ring),
    )
    try:
        async with jobs.open_async(), watching(house):
            Jobs(house).register(jobs)
            await understanding.start()
            await understanding.understand("hello", languages=line.languages, budget=_WARM)
            yield house
    finally:
        await understanding.stop()
        for channel in house.channels.values():
            await channel.close()
        await vault.close()


def voice_folders(settings: Settings) -> tuple[Path, ...]:
    """Where recordings lie: the line's own, then the built-in ones."""
    return settings.harborline_home / "locales", LOCALES


def recordings_of(settings: Settings, line: Line, ring: KeyRing) -> Recordings:
    """What is played to callers. The phone service knows the account's token, so the addresses are keyed with ours."""
    return Recordings(voice_folders(settings), line.recorded, ring.service_key("recordings"))


def _channels(settings: Settings, line: Line) -> dict[ChannelName, Channel]:
    """The channels that the settings and line.yml provide for."""
    channels: list[Channel] = []
    if settings.twilio:
        account = TwilioAccount(
            sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token,
            api_url=settings.twilio_api_url,
            public_url=settings.public_url,
        )
        if line.numbers.sms:
            channels.append(Sms(Twilio(account), line.numbers.sms))
        if line.numbers.voice:
            channels.append(Voice(Twilio(account), line.numbers.voice))
    if settings.telegram:
        channels.append(
            Telegram(settings.telegram_bot_token, settings.telegram_webhook_secret, api_url=settings.telegram_api_url)
        )
    return {channel.name: channel for channel in channels}


def public_app(house: House) -> web.Application:
    """The webhooks, the health checks and the line's front page."""
    app = web.Application(client_max_size=64 * 1024)
    turns, sending = Turns(house), Sending(house)
    refusals, seen = Refusals(house), set()
    for channel in house.channels.values():
        for route in channel.routes(turns.take, sending.report, refusals):
            if (route.method, route.path) not in seen:
                seen.add((route.method, route.path))
                app.router.add_routes([route])
    app.add_routes([*front_routes(house), Feed(house).route()])
    app.add_routes(house.recordings.routes())
    app.on_response_prepare.append(lock_down)
    return app


class Refusals:
    """channels.messages.Refused: counts each, logs one a minute, and keeps nothing of the request."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._logged: dict[tuple[ChannelName, str], datetime] = {}

    def __call__(self, channel: ChannelName, reason: str) -> None:
        house, now = self._house, self._house.world.now()
        house.counts[f"refused_{channel}_{reason}"] += 1
        last = self._logged.get((channel, reason))
        if last is None or now - last > _LOG_AGAIN:  # a flood must not fill the disk that the database lives on
            self._logged[channel, reason] = now
            house.log.warning("webhook.refused", channel=channel, reason=reason)


def console_app(house: House) -> web.Application:
    """The staff console."""
    tag = house.line.default_language

    async def numbers() -> str:
        return await metrics(house)

    def failed(event: str, error: BaseException) -> None:
        house.log.failure("console.failure", error, kind=event)

    return build_console(
        vault=house.vault,
        setup=Setup(
            line_name=house.line.name,
            languages={**NAMES, **{t: locale.english for t, locale in house.phrases.locales.items()}},
            policy=house.line.triage,
            rota=house.pager.rota,
            retention=house.line.retention.policy,
            address=house.settings.console_url,
            public_address=house.settings.public_url,
            limits=house.line.rota.limits,
            secure_cookie=house.settings.console_url.startswith("https://"),
            time_zone=ZoneInfo(house.line.time_zone),
            questions=_questions(house.phrases, house, tag),
            choices=_choices(house.phrases, house, tag),
            announce=house.line.drills.announce,
            scenarios=lambda: _scenarios(house),
            troubles={code: rule.say for code, rule in RULES.items() if not rule.retry},
        ),
        actions=Desk(house=house),
        metrics=numbers,
        failure=failed,
    )


def _scenarios(house: House) -> tuple[Scenario, ...]:
    try:
        found = read_scenarios(house.settings.harborline_home)
    except BadFile:
        return ()  # the page says which command tells where the mistake is
    return tuple(
        Scenario(name=name, title=s.title, language=s.language, shift=s.shift, trouble=unplayable(s, house.line))
        for name, s in sorted(found.items())
    )


def _questions(phrases: Phrases, house: House, tag: str) -> dict[str, str]:
    """What each step asks. What only a conversation knows, such as the facts it reads back, stands there as dots."""
    values = defaultdict(lambda: "…", house.facts.values)
    return {
        name: phrases.text(house.flow.phrase(name), tag, Mode.PLAIN, values)
        for name in house.flow.steps
        if house.flow.phrase(name) in phrases.keys
    }


def _choices(phrases: Phrases, house: House, tag: str) -> dict[str, str]:
    values = house.facts.values
    labels = {
        f"{name}:{choice.id}": phrases.text(choice.label, tag, Mode.PLAIN, values)
        for name, step in house.flow.steps.items()
        for choice in step.choices
    }
    return {f":{BLOCKED}": _BLOCKED, f":{DRILL}": _DRILL, **labels}
