"""Cases whose person gave the word that means: somebody forces me. Nothing is sent to their phone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nobody had agreed on a word before this release."""
    op.add_column("cases", sa.Column("forced", sa.Boolean(), server_default="false", nullable=False))
