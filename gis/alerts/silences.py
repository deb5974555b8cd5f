"""Silences: who does not want to hear of which alerts, until when, and why."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, text

from gis.alerts.muting import Silence
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
) -> int:
    """Tell nobody of these alerts until then; gives the silence's number.

    What is left out stands for any, but something must be named. Raises BadInput, and NotFound for
    a code that no commune has.
    """
    if not why.strip():
        raise BadInput("a silence needs a reason: say why nobody is to hear")
    if layer_id is None and rule is None and not communes:
        raise BadInput("a silence of everything is none: name a layer, a rule or communes")
    if until.tzinfo is None:
        raise BadInput(f"{until} has no time zone: give times such as 2026-01-31T08:00+07:00")
    check_communes(connection, communes)
    values = {"layer": layer_id, "rule": rule, "communes": sorted(set(communes))}
    number = connection.scalar(_INSERT, values | {"who": who, "why": why, "until": until})
    if number is None:
        raise BadInput(f"{until.isoformat()} has passed: a silence lasts until a later time")
    return int(number)


_INSERT = text(
    "INSERT INTO gis.silence (layer_id, rule, communes, who, why, until)"
    " SELECT :layer, :rule, CAST(:communes AS text[]), :who, :why, CAST(:until AS timestamptz)"
    " WHERE CAST(:until AS timestamptz) > now() RETURNING id"
)


def unsilence(connection: Connection, silence_id: int, who: str) -> None:
    """Take a silence back. Raises NotFound unless it is in force."""
    done = connection.execute(
        text(
            "UPDATE gis.silence SET ended_at = now(), ended_by = :who"
            " WHERE id = :id AND ended_at IS NULL AND until > now()"
        ),
        {"id": silence_id, "who": who},
    )
    if done.rowcount == 0:
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
