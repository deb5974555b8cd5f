"""Silences: alerts of which a person wants no notifications for a time, with the reason."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Row, text

from gis.alerts.inhibition import LONGEST_HOURS, Silence
from gis.alerts.notes import check_comment
from gis.boundaries.codes import check_communes
from gis.errors import BadInput, NotFound


def silence(
    connection: Connection,
    *,
    who: str,
    why: str,
    until: datetime,
    layer_id: str | None = None,
    rule: str | None = None,
    communes: Sequence[str] = (),
) -> Silence:
    """Suppress these alerts until then.

    What is left out stands for any, but something must be named. Of the same alerts one silence is
    in force: one that lasts as long is given back, so that a repeated request is undone at once; a
    shorter one is lengthened, or replaced where person or reason differ. Raises BadInput, and
    NotFound for a code that no commune has.
    """
    check_comment(why)
    if not why.strip():
        raise BadInput("a silence needs a reason: say why nobody is to be notified")
    if layer_id is None and rule is None and not communes:
        raise BadInput("a silence of everything is none: name a layer, a rule or communes")
    _check_end(until)
    check_communes(connection, communes)
    scope = {"layer": layer_id, "rule": rule, "communes": sorted(set(communes))}
    connection.execute(_ONE_AT_A_TIME)
    same = connection.execute(_SAME, scope).all()
    if same and same[0].until >= until:
        return _silence(same[0])
    for row in same:
        if (row.who, row.why) == (who, why):
            connection.execute(_LENGTHEN, {"id": row.id, "until": until})
            return replace(_silence(row), until=until)
        unsilence(connection, row.id, who)
    values = scope | {"who": who, "why": why, "until": until}
    return _silence(connection.execute(_INSERT, values).one())


def _check_end(until: datetime) -> None:
    if until.tzinfo is None:
        raise BadInput(f"{until} has no time zone: give times such as 2026-01-31T08:00+07:00")
    now = datetime.now(UTC)
    if until <= now:
        raise BadInput(f"{until.isoformat()} has passed: a silence lasts until a later time")
    if until > now + timedelta(hours=LONGEST_HOURS):
        raise BadInput(
            f"{until.isoformat()} is too far: a silence lasts at most {LONGEST_HOURS} hours "
            f"({LONGEST_HOURS // 24} days)"
        )


_ONE_AT_A_TIME = text("LOCK TABLE gis.silence IN SHARE ROW EXCLUSIVE MODE")
_SAME = text("""
SELECT * FROM gis.silence
WHERE layer_id IS NOT DISTINCT FROM CAST(:layer AS text)
  AND rule IS NOT DISTINCT FROM CAST(:rule AS text) AND communes = CAST(:communes AS text[])
  AND ended_at IS NULL AND until > now()
ORDER BY until DESC
""")
_LENGTHEN = text("UPDATE gis.silence SET until = :until WHERE id = :id")
_INSERT = text("""
INSERT INTO gis.silence (layer_id, rule, communes, who, why, until)
VALUES (:layer, :rule, CAST(:communes AS text[]), :who, :why, :until) RETURNING *
""")


def unsilence(connection: Connection, silence_id: int, who: str) -> None:
    """Take a silence back. Raises NotFound unless it is in force."""
    result = connection.execute(
        text(
            "UPDATE gis.silence SET ended_at = now(), ended_by = :who"
            " WHERE id = :id AND ended_at IS NULL AND until > now()"
        ),
        {"id": silence_id, "who": who},
    )
    if result.rowcount == 0:
        raise NotFound(f"no silence {silence_id} is in force: `gis alerts silences` lists them")


def silences_at(connection: Connection, now: datetime) -> tuple[Silence, ...]:
    """The silences in force at a moment, the oldest first."""
    rows = connection.execute(
        text(
            "SELECT * FROM gis.silence WHERE created_at <= :now AND until > :now"
            " AND (ended_at IS NULL OR ended_at > :now) ORDER BY id"
        ),
        {"now": now},
    )
    return tuple(_silence(row) for row in rows)


def _silence(row: Row[tuple[object, ...]]) -> Silence:
    return Silence(
        id=row.id,
        layer_id=row.layer_id,
        rule=row.rule,
        communes=frozenset(row.communes),
        who=row.who,
        why=row.why,
        created_at=row.created_at,
        until=row.until,
    )
