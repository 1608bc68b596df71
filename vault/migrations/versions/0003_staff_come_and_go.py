"""Staff come and go: invitations, removal, new team keys, passkeys, recovery."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what is needed. Where nobody is a supervisor yet everybody becomes one: until now roles changed nothing."""
    op.add_column("teams", sa.Column("replaced_by", sa.Uuid(), nullable=True))
    op.add_column("members", sa.Column("invited_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("members", sa.Column("passkey_only", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("members", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE members SET role = 'supervisor' WHERE NOT EXISTS (SELECT 1 FROM members WHERE role = 'supervisor')"
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("uses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_passkeys_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
    )
    op.create_index(op.f("ix_passkeys_member_id"), "passkeys", ["member_id"])
    op.create_table(
        "spent_challenges",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_spent_challenges")),
    )
    op.create_table(
        "recoveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recoveries")),
    )
    op.create_table(
        "recovery_grants",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("recovery_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recovery_id"], ["recoveries.id"], name=op.f("fk_recovery_grants_recovery_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_recovery_grants_team_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("team_id", "recovery_id", name=op.f("pk_recovery_grants")),
    )
