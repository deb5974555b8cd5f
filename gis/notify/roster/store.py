"""The duty roster as rows: loads replace a period, and can be undone in their reverse order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.errors import BadInput, Conflict, NotFound
from gis.notify.roster.file import RosterRow
from gis.notify.roster.shifts import Shift, outside


@dataclass(frozen=True, slots=True)
class RosterLoad:
    """One load of a roster: the period that it replaced, and how many shifts came and went."""

    id: int
    at: datetime
    who: str
    file: str
    since: datetime
    until: datetime
    added: int
    replaced: int
    undone_at: datetime | None = None
    undone_by: str | None = None


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('duty roster', 0))")
_IN_FORCE = text("""
SELECT id, line, who, since, until, communes, layers, categories, channel FROM gis.duty
WHERE replaced_by IS NULL AND since < :until AND until > :since ORDER BY since, until, id
""")
# Those whose person has a subscription by which the roster reaches somebody.
_REACHABLE = text("""
SELECT d.who, d.since, d.until, d.communes, d.layers, d.categories, d.channel FROM gis.duty d
WHERE d.replaced_by IS NULL AND d.since < :until AND d.until > :since
  AND EXISTS (SELECT FROM gis.subscription s WHERE gis.is_person(s, d)) ORDER BY d.since, d.id
""")
_PEOPLE = text("""
SELECT coalesce(nullif(person, ''), name) AS who, channel FROM gis.subscription
WHERE on_duty AND ended_at IS NULL
""")
_INSERT_LOAD = text("""
INSERT INTO gis.duty_load (id, who, file, since, until, added, replaced)
SELECT coalesce(max(id), 0) + 1, :who, :file, :since, :until, :added, 0 FROM gis.duty_load
RETURNING *
""")
_INSERT = text("""
INSERT INTO gis.duty (load_id, line, who, since, until, communes, layers, categories, channel)
VALUES (:load, :line, :who, :since, :until, :communes, :layers, :categories, :channel)
""")


def people_on_duty(connection: Connection) -> dict[str, set[str]]:
    """The people whose subscriptions follow the roster, with their channels."""
    people: dict[str, set[str]] = {}
    for who, channel in connection.execute(_PEOPLE):
        people.setdefault(who, set()).add(channel)
    return people


def load_roster(
    connection: Connection,
    rows: Sequence[RosterRow],
    who: str,
    file: str,
    period: tuple[datetime | None, datetime | None] = (None, None),
) -> RosterLoad:
    """Replace the roster of a period, from the first shift of the rows to the last unless given.

    Shifts of before that reach into the period are cut there. Raises BadInput for a row outside of
    the period.
    """
    since = period[0] or min(row.shift.since for row in rows)
    until = period[1] or max(row.shift.until for row in rows)
    for row in rows:
        if row.shift.since < since or row.shift.until > until:
            raise BadInput(f"line {row.line}: the shift is not within the period to be replaced")
    connection.execute(_LOCK)
    values = {"who": who, "file": file, "since": since, "until": until, "added": len(rows)}
    load = connection.execute(_INSERT_LOAD, values).one()
    replaced = connection.execute(_IN_FORCE, {"since": since, "until": until}).all()
    rests = [
        RosterRow(row.line, rest) for row in replaced for rest in outside(_shift(row), since, until)
    ]
    connection.execute(
        text("UPDATE gis.duty SET replaced_by = :load WHERE id = ANY(:ids)"),
        {"load": load.id, "ids": [row.id for row in replaced]},
    )
    _insert(connection, load.id, [*rows, *rests])
    connection.execute(
        text("UPDATE gis.duty_load SET replaced = :replaced WHERE id = :id"),
        {"id": load.id, "replaced": len(replaced)},
    )
    notify_on_duty(connection)
    return RosterLoad(**{**load._mapping, "replaced": len(replaced)})


def undo_roster_load(connection: Connection, load_id: int, who: str) -> RosterLoad:
    """Put back the roster as it was before a load. Raises NotFound, and Conflict where a later load
    still stands, which is to be undone first.
    """
    connection.execute(_LOCK)
    loads = {load.id: load for load in roster_loads(connection)}
    if load_id not in loads:
        raise NotFound(f"there is no load {load_id} of the roster: `gis roster loads` lists them")
    if loads[load_id].undone_at is not None:
        raise Conflict(f"load {load_id} of the roster was undone already")
    newest = max(load.id for load in loads.values() if load.undone_at is None)
    if newest != load_id:
        raise Conflict(f"load {newest} of the roster came later: undo that one first")
    # What the load brought stays in the table, replaced by itself, for who asks what was in force.
    connection.execute(
        text("UPDATE gis.duty SET replaced_by = :id WHERE load_id = :id AND replaced_by IS NULL"),
        {"id": load_id},
    )
    connection.execute(
        text("UPDATE gis.duty SET replaced_by = NULL WHERE replaced_by = :id AND load_id <> :id"),
        {"id": load_id},
    )
    undone = text(
        "UPDATE gis.duty_load SET undone_at = now(), undone_by = :who WHERE id = :id RETURNING *"
    )
    row = connection.execute(undone, {"id": load_id, "who": who}).one()
    notify_on_duty(connection)
    return RosterLoad(**row._mapping)


def roster_loads(connection: Connection) -> list[RosterLoad]:
    """All loads, the newest first."""
    rows = connection.execute(text("SELECT * FROM gis.duty_load ORDER BY id DESC"))
    return [RosterLoad(**row._mapping) for row in rows]


def roster_in_force(connection: Connection, since: datetime, until: datetime) -> list[Shift]:
    """The shifts that meet a time, in their order."""
    rows = connection.execute(_IN_FORCE, {"since": since, "until": until})
    return [_shift(row) for row in rows]


def reachable_shifts(connection: Connection, since: datetime, until: datetime) -> list[Shift]:
    """Those of them whose person has a subscription that follows the roster."""
    rows = connection.execute(_REACHABLE, {"since": since, "until": until})
    return [_shift(row) for row in rows]


def has_roster(connection: Connection) -> bool:
    """True where the service is told by a roster: one was loaded, or a subscription follows one."""
    return bool(
        connection.scalar(
            text(
                "SELECT EXISTS (SELECT FROM gis.duty WHERE replaced_by IS NULL) OR EXISTS"
                " (SELECT FROM gis.subscription WHERE on_duty AND ended_at IS NULL)"
            )
        )
    )


def shift_begins(connection: Connection, after: datetime, until: datetime) -> bool:
    """True where somebody's duty began after one moment and up to another."""
    begun = text(
        "SELECT EXISTS (SELECT FROM gis.duty WHERE replaced_by IS NULL"
        " AND since > :after AND since <= :until)"
    )
    return bool(connection.scalar(begun, {"after": after, "until": until}))


def notify_on_duty(connection: Connection) -> None:
    """Queue open alerts for who is on duty by now and was not notified of them."""
    connection.execute(text("SELECT gis.notify_late_recipients()"))


def _insert(connection: Connection, load_id: int, rows: Iterable[RosterRow]) -> None:
    values = [
        {
            "load": load_id,
            "line": row.line,
            "who": row.shift.who,
            "since": row.shift.since,
            "until": row.shift.until,
            "communes": sorted(row.shift.communes),
            "layers": sorted(row.shift.layers),
            "categories": sorted(row.shift.categories),
            "channel": row.shift.channel,
        }
        for row in rows
    ]
    connection.execute(_INSERT, values)


def _shift(row: Row[Any]) -> Shift:
    return Shift(
        who=row.who,
        since=row.since.astimezone(UTC),
        until=row.until.astimezone(UTC),
        communes=frozenset(row.communes),
        layers=frozenset(row.layers),
        categories=frozenset(row.categories),
        channel=row.channel,
    )
