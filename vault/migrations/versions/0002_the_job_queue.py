"""The job queue's own tables and functions, as procrastinate ships them."""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create them; later releases of procrastinate bring migrations of their own, each a revision here."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None, "migrations run on a live connection"  # noqa: S101 - narrows the type
    driver.execute(SchemaManager.get_schema())
