"""What an operator sets, from the environment: `NAME`, or `NAME_FILE` naming a file that holds the value.

Only connection and place are here; what a programme officer decides is in line.yml (bot/line.py). All problems
are reported at once, each with its remedy, and never with a value: some of them are secrets.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit


class BadSettings(Exception):
    """Some settings cannot be used; every problem is listed with what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. Secrets never show in its repr."""

    harborline_home: Path
    database_url: str = field(repr=False)
    public_url: str
    public_port: int
    console_port: int
    listen: str
    console_url: str
    twilio_account_sid: str
    twilio_auth_token: str = field(repr=False)
    twilio_api_url: str
    telegram_bot_token: str = field(repr=False)
    telegram_webhook_secret: str = field(repr=False)
    telegram_api_url: str
    rasa_url: str
    understanding_budget: float
    heartbeat_url: str = field(repr=False)
    log_level: str

    @property
    def key_ring(self) -> Path:
        """Where the key ring lies."""
        return self.harborline_home / "keyring"

    @property
    def line_file(self) -> Path:
        """Where line.yml lies."""
        return self.harborline_home / "line.yml"

    @property
    def twilio(self) -> bool:
        """True when SMS and voice are set up."""
        return bool(self.twilio_account_sid)

    @property
    def telegram(self) -> bool:
        """True when Telegram is set up."""
        return bool(self.telegram_bot_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    default: str
    read: Callable[[str], Any]
    explain: str


def _text(value: str) -> str:
    return value


def _port(value: str) -> int:
    port = int(value)
    if not 0 < port < 65536:
        raise ValueError
    return port


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    return value.rstrip("/")


def _maybe_url(value: str) -> str:
    return _url(value) if value else ""


def _rasa(value: str) -> str:
    """Words go there as they are: in clear only within this machine, or to a name of a network of its own."""
    parts = urlsplit(value)
    host = parts.hostname or ""
    if parts.scheme == "http" and re.search("[.:]", host) and not re.fullmatch(r"127(\.\d+){3}|::1", host):
        raise ValueError
    return _maybe_url(value)


def _monitor(value: str) -> str:
    """An address that is called as it is: monitors put their secret into the path, or behind a question mark."""
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or parts.username):
        raise ValueError
    if parts.port == 0:  # reading it also refuses what is no port
        raise ValueError
    return value


def _postgres(value: str) -> str:
    if value and urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise ValueError
    return re.sub("^postgres:", "postgresql:", value)  # some providers write it so; not every library reads that


def _matching(pattern: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value and not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return read


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0.05 <= seconds <= 5:
        raise ValueError
    return seconds


def _level(value: str) -> str:
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError
    return value.upper()


SETTINGS: Final[Mapping[str, _Setting]] = {
    "HARBORLINE_HOME": _Setting(
        default="var", read=Path, explain="folder for the key ring, the embedded database and line.yml"
    ),
    "DATABASE_URL": _Setting(
        default="", read=_postgres, explain="postgresql://… of a PostgreSQL 15 or newer; empty: the embedded one"
    ),
    "PUBLIC_URL": _Setting(
        default="http://127.0.0.1:8080",
        read=_url,
        explain="https://… address that Twilio and Telegram call; signatures are checked against it",
    ),
    "PUBLIC_PORT": _Setting(default="8080", read=_port, explain="port for webhooks, 1 to 65535"),
    "CONSOLE_PORT": _Setting(default="8081", read=_port, explain="port for the staff console, 1 to 65535"),
    "LISTEN": _Setting(default="127.0.0.1", read=_matching(r"[0-9a-fA-F.:]+"), explain="IP address to listen on"),
    "CONSOLE_URL": _Setting(
        default="", read=_maybe_url, explain="https://… address of the console, for the link in pages; empty: local"
    ),
    "TWILIO_ACCOUNT_SID": _Setting(
        default="", read=_matching(r"AC[0-9a-f]{32}"), explain="AC and 32 hex digits; empty: no SMS and no voice"
    ),
    "TWILIO_AUTH_TOKEN": _Setting(default="", read=_text, explain="the account's auth token"),
    "TWILIO_API_URL": _Setting(default="https://api.twilio.com", read=_url, explain="Twilio's REST address"),
    "TELEGRAM_BOT_TOKEN": _Setting(
        default="", read=_matching(r"[0-9]+:[A-Za-z0-9_-]{20,}"), explain="the bot's token; empty: no Telegram"
    ),
    "TELEGRAM_WEBHOOK_SECRET": _Setting(
        default="",
        read=_matching(r"[A-Za-z0-9_-]{16,256}"),
        explain="16 to 256 letters, digits, _ or -; empty: long polling instead of a webhook",
    ),
    "TELEGRAM_API_URL": _Setting(default="https://api.telegram.org", read=_url, explain="Telegram's Bot API address"),
    "RASA_URL": _Setting(
        default="",
        read=_rasa,
        explain="address of a Rasa server, https unless it is on this machine; empty: the embedded engine",
    ),
    "UNDERSTANDING_BUDGET": _Setting(
        default="0.3",
        read=_seconds,
        explain="seconds that an answer waits for the engine, 0.05 to 5; what is late is read by a job",
    ),
    "HEARTBEAT_URL": _Setting(
        default="",
        read=_monitor,
        explain="https://… address of an outside monitor, called each minute while all is well; empty: none",
    ),
    "LOG_LEVEL": _Setting(default="INFO", read=_level, explain="DEBUG, INFO, WARNING or ERROR"),
}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from an environment. Raises BadSettings with every problem."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        try:
            values[name.lower()] = setting.read(_raw(environment, name, setting.default))
        except OSError:
            problems.append(f"{name}_FILE names a file that cannot be read: check the path and its permissions.")
        except UnicodeDecodeError:
            problems.append(f"{name}_FILE is no text file: write the value into it as UTF-8, and nothing else.")
        except ValueError:
            problems.append(f"{name} cannot be used: set it to {setting.explain}.")
    problems += _together(values)
    if problems:
        raise BadSettings(problems)
    values["console_url"] = values["console_url"] or f"http://127.0.0.1:{values['console_port']}"
    return Settings(**values)


def _raw(environment: Mapping[str, str], name: str, default: str) -> str:
    path = environment.get(f"{name}_FILE")
    value = Path(path).read_text(encoding="utf-8").strip() if path else environment.get(name, default)
    if not value.isprintable():  # a line break would end up in the header of a request
        raise ValueError
    return value


def _together(values: Mapping[str, Any]) -> list[str]:
    """Problems between settings."""
    problems = []
    if values.get("twilio_account_sid") and not values.get("twilio_auth_token"):
        problems.append("TWILIO_AUTH_TOKEN is missing: without it no webhook can be checked. Set it, or _FILE.")
    return problems


assert {f.name for f in fields(Settings)} == {n.lower() for n in SETTINGS}, "one field a setting"  # noqa: S101 - at import
