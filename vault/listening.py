"""Hears what the database announces: that the staff's queue changed. One connection of its own; reads no table."""

from collections.abc import AsyncGenerator

import psycopg
from psycopg import sql

from vault.unit import QUEUE_CHANGED, Vault


class Silent(Exception):
    """The database cannot be heard at the moment: try again a little later, and look at the queue once then."""


async def queue_changes(vault: Vault) -> AsyncGenerator[None]:
    """One item as soon as it listens, then one for every change that was committed. Raises Silent."""
    address = vault.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = await psycopg.AsyncConnection.connect(
            address,
            autocommit=True,
            connect_timeout=3,
            application_name="harborline-console",
            keepalives_idle=30,  # a vanished network is noticed within a minute
            keepalives_interval=10,
            keepalives_count=3,
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(QUEUE_CHANGED)))
            yield
            async for _ in connection.notifies():
                yield
    except psycopg.Error:
        raise Silent from None
