"""Databases for tests: one embedded PostgreSQL a test process, one fresh database a test."""

import atexit
import itertools
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from vault.database import EmbeddedPostgres, migrate

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL with a migrated template database."""

    url: str
    directory: Path

    def new(self) -> str:
        """A fresh, migrated database; gives its address."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template_harborline')
        return at(self.url, name)


def at(url: str, database: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """One PostgreSQL a test process; its exit handler stops it and removes its folder.

    Not under pytest's own temporary folder: every start of pytest closes that to other users, and the server is one.
    """
    directory = Path(tempfile.mkdtemp(prefix="harborline-pg-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    url = EmbeddedPostgres(directory).start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_harborline")
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    migrate(at(url, "template_harborline"))
    return Cluster(url, directory)


@pytest.fixture
def database_url(cluster: Cluster) -> str:
    """A fresh, migrated database."""
    return cluster.new()
