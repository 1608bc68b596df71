"""The hotline of the canary test: every value that is planted, by its name, and the line it is planted in.

What happens on it is in tests/test_canaries.py and tests/breaks.py; the search is in tests/canaries.py.
"""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg

from bot.practice import RESPONDERS
from carriers.handset import Chat, Phone
from carriers.numbers import Person
from tests.breaks import Breaks
from tests.canaries import Watch, made_up
from tests.databases import Cluster
from tests.test_journeys import cases, folded, says
from tests.world import LINE, World, open_world

LATIN, ARABIC, HINDI = "abdefgiklmnoprstuvz", "بتثجحخدرزسشصطعفقكلمنهوي", "कखगचजटडतदनपबमयरलवशसह"
PATIENCE = 40.0  # seconds
FACTS = ("facts.when", "facts.who", "facts.still", "contact.rule")

# Canaries ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Planted:
    """Every canary by its name, as it is planted."""

    all: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: str) -> str:
        """Remember one; gives it back."""
        assert name not in self.all, name
        self.all[name] = value
        return value

    def word(self, name: str, letters: str = LATIN) -> str:
        """A new word for somebody to say."""
        return self.put(f"word: {name}", made_up(letters))

    def caller(self, world: World, who: str) -> Phone:
        """A phone of whose owner the carrier knows a name and a place."""
        national = str(secrets.choice(range(2_200_000_000, 9_899_999_999)))
        number = self.put(f"number of {who}", f"+1{national}")
        self.put(f"number of {who}, national", national)
        self.put(f"number of {who}, as it is printed", f"({national[:3]}) {national[3:6]}-{national[6:]}")
        known = {part: self.put(f"{part} of {who}", made_up(LATIN.upper())) for part in ("name", "city", "zip")}
        world.exchange.add_person(Person(number=number, state="IL", **known))
        return world.phone(number)

    def chatter(self, world: World, who: str) -> Chat:
        """A Telegram user with all names that Telegram tells."""
        chat = int(self.put(f"chat of {who}", str(secrets.choice(range(10**15, 4 * 10**15)))))
        first, user = self.put(f"first name of {who}", made_up(LATIN)), self.put(f"user name of {who}", made_up(LATIN))
        return world.exchange.chat(chat, first_name=first, username=user, language_code="en")

    def code(self, name: str, given: str) -> str:
        """The return code in an answer, in the ways it is written."""
        digits = re.sub(r"\D", "", given.split("\n", maxsplit=1)[0])[:16]
        assert len(digits) == 16
        self.put(f"code: {name}", digits)
        for sign_ in " -,.":
            self.put(f"code: {name}, with {sign_!r}", sign_.join(digits[i : i + 4] for i in range(0, 16, 4)))
        return digits

    def accounts(self, world: World) -> None:
        """What the line and its people sign in with."""
        made = world.made
        self.put("Twilio token", made.twilio_auth_token)
        self.put("Telegram token", made.telegram_bot_token)
        self.put("webhook secret", made.telegram_webhook_secret)
        for member in made.staff:
            self.put(f"passphrase of {member.name}", member.passphrase)
            self.put(f"TOTP seed of {member.name}", member.totp_seed)
        for responder in RESPONDERS:
            self.put(f"a responder's number: {responder.name}", responder.phone)


# The line ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The hotline, what is planted in it, and where its processes keep what is temporary."""

    world: World
    planted: Planted
    cluster: Cluster
    scratch: Path
    watch: Watch
    since: float
    breaks: Breaks

    async def heard(self, phone: Phone, *turns: tuple[str, str], language: str = "en") -> str:
        """Text and wait for the phrase, again and again; gives the last answer."""
        text = ""
        for words, key in turns:
            await phone.text(words)
            text = (await phone.receives(folded(says(key, language)), within=PATIENCE)).text
        return text

    async def told(self, phone: Phone, words: str, rule: str = "4") -> str:
        """A report by SMS up to the contact rule; gives the case's code."""
        before = cases(self.world)
        await self.heard(phone, (words, "safe"), ("1", "facts.where"))
        await self.heard(phone, *(("9", question) for question in FACTS), (rule, "code.offer"))
        (code,) = cases(self.world) - before
        return code

    def execute(self, statement: LiteralString, *values: str) -> int:
        """Change the database, as time would; gives how many rows."""
        with psycopg.connect(self.world.database_url) as connection:
            return connection.execute(statement, values).rowcount


@asynccontextmanager
async def open_line(cluster: Cluster, folder: Path, breaks: Breaks, text: str = LINE) -> AsyncIterator[Line]:
    """Open one, watched from its beginning, whose processes can break. `text` is its line.yml."""
    scratch = folder / "scratch"
    scratch.mkdir()
    since = time.time()
    watched: dict[str, World] = {}
    watch = Watch(roots=lambda: _roots(watched.get("world")))
    changes = dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME"), str(scratch)) | breaks.environment
    async with open_world(cluster, folder / "line", line=text, **changes) as world:
        watched["world"] = world
        looking = asyncio.create_task(watch.run())
        planted = Planted()
        planted.accounts(world)
        try:
            yield Line(
                world=world,
                planted=planted,
                cluster=cluster,
                scratch=scratch,
                watch=watch,
                since=since,
                breaks=breaks,
            )
        finally:
            looking.cancel()


def _roots(world: World | None) -> Mapping[str, int | None]:
    running = {"web": world.web.running, "worker": world.worker.running} if world else {}
    return {name: one.pid if one and one.returncode is None else None for name, one in running.items()}
