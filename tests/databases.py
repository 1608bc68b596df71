"""Databases for tests: one embedded PostgreSQL a test process, one fresh database a test."""

import itertools
import os
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
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """One PostgreSQL a test process; stopped at the end by its own exit handler."""
    directory = tmp_path_factory.mktemp("pg")
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
