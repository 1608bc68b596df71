"""Drills at rest: which scenario ran when, what was expected, what was seen. No words: ids, states, seconds.

A message is a drill's only when it comes from the address of a run that was begun here and is not over; anything
else is a real person's, whatever it claims. What a run means is judged in triage/drills.py.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from triage.drills import DrillState, Expected, Figures, Outcome
from triage.levels import Level
from vault import tables
from vault.errors import NotFound
from vault.paging import StoredAlert, alert_of
from vault.transaction import Transaction

PREFIX: Final = "drill:"
"""How the address of a scripted person begins. It is no number, so no telephone company can deliver to it."""

HISTORY: Final = timedelta(days=400)  # for so long results are kept: the same season a year ago can be compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One run of a scenario. `slot`: the place in the schedule that it fills; `case_id`: once something was kept."""

    id: uuid.UUID
    scenario: str
    language: str
    channel: str
    state: DrillState
    slot: str | None
    case_id: uuid.UUID | None
    expected: Expected
    figures: Figures
    begun_at: datetime
    ended_at: datetime | None

    @property
    def address(self) -> str:
        """Where the scripted person writes from."""
        return f"{PREFIX}{self.id.hex}"

    @property
    def outcome(self) -> Outcome:
        """The same, for a report."""
        return Outcome(
            scenario=self.scenario,
            language=self.language,
            begun_at=self.begun_at,
            state=self.state,
            figures=self.figures,
        )


def is_drill(address: str) -> bool:
    """True for the address of a scripted person, of any drill: nothing is ever sent there."""
    return address.startswith(PREFIX)


class Drills:
    """Runs, and what they share with the real ones: a case and an alert."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def begin(
        self, scenario: str, language: str, channel: str, expected: Expected, *, slot: str | None = None
    ) -> Drill | None:
        """Note a new run. None when this slot of the schedule is filled already."""
        transaction, table = self._transaction, tables.drills
        query = (
            insert(table)
            .values(
                id=transaction.new_id(),
                scenario=scenario,
                language=language,
                channel=channel,
                state=DrillState.RUNNING,
                slot=slot,
                expected_level=int(expected.level),
                expected_page=expected.page,
                expected_acknowledge=expected.acknowledge,
                expected_answer=expected.answer,
                begun_at=transaction.now,
            )
            .on_conflict_do_nothing(index_elements=["slot"])
            .returning(*table.c)
        )
        row = (await transaction.connection.execute(query)).first()
        return _drill(row) if row else None

    async def get(self, drill_id: uuid.UUID) -> Drill:
        """A run, locked until the unit ends. Raises NotFound."""
        query = select(tables.drills).where(tables.drills.c.id == drill_id).with_for_update()
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            raise NotFound
        return _drill(row)

    async def by_address(self, address: str) -> Drill | None:
        """The run that is not over and whose scripted person writes from here."""
        if not is_drill(address):
            return None
        try:
            found = await self.get(uuid.UUID(hex=address.removeprefix(PREFIX)))
        except (ValueError, NotFound):
            return None
        return found if found.state is DrillState.RUNNING else None

    async def has_case(self, drill_id: uuid.UUID, case_id: uuid.UUID) -> None:
        """From now on this case is the run's."""
        await self._change(drill_id, case_id=case_id)

    async def spoke(self, drill_id: uuid.UUID) -> None:
        """The first message leaves now: from here on the seconds count."""
        await self._change(drill_id, begun_at=self._transaction.now)

    async def seen(self, drill_id: uuid.UUID, figures: Figures) -> None:
        """Keep what was seen so far."""
        await self._change(
            drill_id,
            level=None if figures.level is None else int(figures.level),
            page=figures.page,
            acknowledge=figures.acknowledge,
            answer=figures.answer,
        )

    async def end(self, drill_id: uuid.UUID, state: DrillState) -> None:
        """The run is over."""
        await self._change(drill_id, state=state, ended_at=self._transaction.minute)

    async def _change(self, drill_id: uuid.UUID, **values: Any) -> None:
        await self._transaction.connection.execute(
            update(tables.drills).where(tables.drills.c.id == drill_id).values(**values)
        )

    async def all(self, *, limit: int = 500) -> tuple[Drill, ...]:
        """The newest runs, newest first."""
        query = select(tables.drills).order_by(tables.drills.c.begun_at.desc()).limit(limit)
        return tuple(_drill(row) for row in await self._transaction.connection.execute(query))

    async def running(self) -> tuple[Drill, ...]:
        """Runs that are not over."""
        query = select(tables.drills).where(tables.drills.c.state == DrillState.RUNNING)
        return tuple(_drill(row) for row in await self._transaction.connection.execute(query))

    async def alert(self, case_id: uuid.UUID) -> StoredAlert | None:
        """A case's alert, without a lock: to look at it must not keep anybody waiting."""
        query = select(tables.alerts).where(tables.alerts.c.case_id == case_id)
        row = (await self._transaction.connection.execute(query)).first()
        return alert_of(row) if row else None

    async def answered(self, case_id: uuid.UUID) -> bool:
        """True once a member of staff has written to the scripted person."""
        table = tables.outbox
        query = select(table.c.id).where(table.c.case_id == case_id, table.c.kind == "staff").limit(1)
        return await self._transaction.connection.scalar(query) is not None

    async def real_ringing(self) -> int:
        """How many alerts of real reports look for a human now."""
        joined = tables.alerts.join(tables.cases, tables.alerts.c.case_id == tables.cases.c.id)
        query = select(tables.alerts.c.id).select_from(joined).where(tables.alerts.c.ringing, ~tables.cases.c.drill)
        return len((await self._transaction.connection.execute(query)).all())

    async def forget(self) -> None:
        """Delete results that are older than HISTORY."""
        await self._transaction.connection.execute(
            delete(tables.drills).where(tables.drills.c.begun_at < self._transaction.now - HISTORY)
        )


def _drill(row: Any) -> Drill:
    return Drill(
        id=row.id,
        scenario=row.scenario,
        language=row.language,
        channel=row.channel,
        state=DrillState(row.state),
        slot=row.slot,
        case_id=row.case_id,
        expected=Expected(
            level=Level(row.expected_level),
            page=row.expected_page,
            acknowledge=row.expected_acknowledge,
            answer=row.expected_answer,
        ),
        figures=Figures(
            level=None if row.level is None else Level(row.level),
            page=row.page,
            acknowledge=row.acknowledge,
            answer=row.answer,
        ),
        begun_at=row.begun_at,
        ended_at=row.ended_at,
    )
