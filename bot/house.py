"""Everything that a process of Harborline needs, built once by bot/app.py and passed on as one value."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.line import Line
from bot.logs import Log
from bot.pager import Pager
from bot.patience import Patience
from bot.recordings import Recordings
from bot.settings import Settings
from bot.world import World
from channels.messages import Channel, ChannelName
from dialogs.flow import Flow
from dialogs.line import LineFacts
from dialogs.phrases import Phrases
from understanding.understand import Understanding
from vault.pseudonyms import Pseudonyms
from vault.unit import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One process's rooms, wired. `counts` are for /metrics: fixed names and numbers, nothing about a person."""

    settings: Settings
    line: Line
    world: World
    log: Log
    vault: Vault
    pseudonyms: Pseudonyms
    understanding: Understanding
    flow: Flow
    phrases: Phrases
    facts: LineFacts
    pager: Pager
    channels: Mapping[ChannelName, Channel]
    recordings: Recordings = field(default_factory=Recordings)
    counts: Counter[str] = field(default_factory=Counter)
    patience: Patience = field(default_factory=Patience)
