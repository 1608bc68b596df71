"""Drills: which scenario ran when, what was expected and what was seen. No words."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """There were none before this release."""
    op.create_table(
        "drills",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scenario", sa.String(32), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("slot", sa.String(64), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("expected_level", sa.SmallInteger(), nullable=False),
        sa.Column("expected_page", sa.Integer(), nullable=False),
        sa.Column("expected_acknowledge", sa.Integer(), nullable=False),
        sa.Column("expected_answer", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=True),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("acknowledge", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_drills"),
        sa.UniqueConstraint("slot", name="uq_drills_slot"),
    )
