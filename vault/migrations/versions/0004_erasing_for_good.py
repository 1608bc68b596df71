"""Erasing for good: a lock of its own for every case, the erasure keys they lie under, and drills marked as such."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what is needed. Cases that are there already keep their grants, which open as before."""
    op.add_column("cases", sa.Column("drill", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "case_locks",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_locks_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_locks")),
    )
    op.create_table(
        "erasure_keys",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owed_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_erasure_keys")),
    )
