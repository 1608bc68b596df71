"""The person takes over: codes that staff have seen until the person has one of their own, and reports withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what is needed. No code that is there already was seen by staff."""
    op.add_column("codes", sa.Column("known_to_staff", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("cases", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
