"""What every command is given."""

import argparse
from typing import NamedTuple

from bot.logs import Log
from bot.settings import Settings


class Context(NamedTuple):
    """Settings, a log, and the command's own arguments."""

    settings: Settings
    log: Log
    arguments: argparse.Namespace
