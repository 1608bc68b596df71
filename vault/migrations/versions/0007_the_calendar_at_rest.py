"""The calendar at rest: stand-ins and imported shifts, calendar addresses, readiness; which number a page went to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add what is needed. A page that is there already went to the first number of its method."""
    op.add_column("pages", sa.Column("contact", sa.String(16), server_default="", nullable=False))
    op.create_table(
        "rota_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rota_changes")),
    )
    op.create_index(op.f("ix_rota_changes_ends_at"), "rota_changes", ["ends_at"])
    op.create_table(
        "rota_feeds",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("responder_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["responder_id"],
            ["responders.id"],
            name=op.f("fk_rota_feeds_responder_id_responders"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_rota_feeds")),
    )
    op.create_index(op.f("ix_rota_feeds_responder_id"), "rota_feeds", ["responder_id"])
    op.create_table(
        "readiness",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("responder_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("contact", sa.String(16), nullable=False),
        sa.Column("shift_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.Integer(), nullable=True),
        sa.Column("told", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["responder_id"],
            ["responders.id"],
            name=op.f("fk_readiness_responder_id_responders"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readiness")),
        sa.UniqueConstraint("responder_id", "contact", "shift_at", name=op.f("uq_readiness_responder_id")),
    )
