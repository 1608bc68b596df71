"""Alembic migrations: how the tables came to be. A migration that has been released is never edited."""
