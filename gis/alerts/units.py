"""Alerts and recipients after units changed: communes of before become those that follow them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import orjson
from sqlalchemy import Connection, text

from gis.alerts.states import LIVE, Act
from gis.alerts.store import SERVICE, record_event


@dataclass(frozen=True, slots=True)
class SucceededCommune:
    """A commune that ended or was cut, its former full name, and what followed it: full names by
    code.
    """

    code: str
    name: str
    successors: Mapping[str, str]


def follow_units(connection: Connection, communes: Sequence[SucceededCommune]) -> int:
    """Carry live alerts, subscriptions and duties over to the communes that follow; gives the
    number of alerts.

    An alert has those that its area touches, all where they have no polygon yet, and its texts name
    them; one that is known by its commune, as of a rule of communes, goes on as that of the one
    that follows. Nobody is notified, since nothing happened there. Recipients of a commune that
    ended are those of what followed it as well.
    """
    followed = {one.code: one for one in communes}
    values = {"codes": sorted(followed), "live": sorted(LIVE)}
    rows = connection.execute(_CONCERNED, values).all()
    for row in rows:
        touched = {
            code: _touched(connection, row.id, followed[code])
            for code in row.communes
            if code in followed
        }
        texts = {name: _renamed(getattr(row, name), followed, touched) for name in _TEXTS}
        connection.execute(
            _CARRY,
            texts
            | {
                "id": row.id,
                "key": _key(row.key, row.communes, touched),
                "communes": _carried(row.communes, touched),
                "told": _carried(row.told or (), touched),
            },
        )
        record_event(connection, row.id, SERVICE, Act.UPDATE, "units have changed", notify=False)
    for one in communes:
        connection.execute(_RECIPIENTS, {"old": one.code, "new": sorted(one.successors)})
        connection.execute(_DUTIES, {"old": one.code, "new": sorted(one.successors)})
    return len(rows)


_TEXTS = ("headline_vi", "headline_en", "detail_vi", "detail_en")
_CONCERNED = text("""
SELECT id, key, communes, headline_vi, headline_en, detail_vi, detail_en,
       ARRAY(SELECT jsonb_array_elements_text(last_notification -> 'communes')) AS told
FROM gis.alert WHERE status = ANY(:live) AND communes && CAST(:codes AS text[])
ORDER BY id FOR UPDATE
""")
_TOUCHED = text("""
SELECT u.code FROM gis.admin_unit u, gis.alert a
WHERE a.id = :id AND u.level = 'commune' AND u.valid_to IS NULL AND u.code = ANY(:codes)
  AND (u.geom IS NULL OR ST_Relate(u.geom, a.geom, 'T********'))
ORDER BY u.code
""")
_CARRY = text("""
UPDATE gis.alert SET communes = :communes, key = :key,
  headline_vi = :headline_vi, headline_en = :headline_en,
  detail_vi = :detail_vi, detail_en = :detail_en, updated_at = now(),
  last_notification = CASE WHEN last_notification IS NOT NULL
    THEN last_notification || jsonb_build_object('communes', CAST(:told AS text[])) END
WHERE id = :id
""")
_RECIPIENTS = text("""
UPDATE gis.subscription
SET communes = ARRAY(SELECT DISTINCT unnest(communes || CAST(:new AS text[])) ORDER BY 1)
WHERE :old = ANY(communes) AND NOT communes @> CAST(:new AS text[])
""")
_DUTIES = text("""
UPDATE gis.duty
SET communes = ARRAY(SELECT DISTINCT unnest(communes || CAST(:new AS text[])) ORDER BY 1)
WHERE :old = ANY(communes) AND NOT communes @> CAST(:new AS text[])
  AND replaced_by IS NULL AND until > now()
""")


def follow_later(connection: Connection, on: date, communes: Sequence[SucceededCommune]) -> None:
    """Have `follow_due` do the same on a day to come."""
    connection.execute(
        _LATER,
        [
            {
                "on": on,
                "code": one.code,
                "name": one.name,
                "successors": orjson.dumps(dict(one.successors)).decode(),
            }
            for one in communes
        ],
    )


def follow_due(connection: Connection, day: date) -> int:
    """Follow the units of decrees whose day has come, decree by decree; gives how many communes."""
    rows = connection.execute(_DUE, {"day": day}).all()
    for on in sorted({row.on for row in rows}):
        follow_units(
            connection,
            [SucceededCommune(row.code, row.name, row.successors) for row in rows if row.on == on],
        )
    return len(rows)


_LATER = text("""
INSERT INTO gis.unit_succession ("on", code, name, successors)
VALUES (:on, :code, :name, CAST(:successors AS jsonb))
""")
_DUE = text("""
DELETE FROM gis.unit_succession WHERE "on" <= :day RETURNING "on", code, name, successors
""")


def _key(key: str | None, communes: Sequence[str], touched: Mapping[str, list[str]]) -> str | None:
    """The key of an alert that is known by its commune; of one that was split as it is."""
    followed = touched.get(key, []) if key is not None and key in communes else []
    return followed[0] if len(followed) == 1 else key


def _touched(connection: Connection, alert_id: int, commune: SucceededCommune) -> list[str]:
    """Codes of the successors within the alert's area; all, where it touches none."""
    values = {"id": alert_id, "codes": sorted(commune.successors)}
    return list(connection.scalars(_TOUCHED, values)) or sorted(commune.successors)


def _carried(codes: Sequence[str], touched: Mapping[str, list[str]]) -> list[str]:
    return sorted({new for code in codes for new in touched.get(code, [code])})


def _renamed(
    words: str, followed: Mapping[str, SucceededCommune], touched: Mapping[str, list[str]]
) -> str:
    """The text with the names of today. All at once: a new name may be another's old one."""
    names = {
        followed[code].name: ", ".join(followed[code].successors[new] for new in codes)
        for code, codes in touched.items()
    }
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(known, lambda found: names[found[0]], words) if names else words
