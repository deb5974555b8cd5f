"""Stewards: who answers for the data of a department, and has a letter about them each week."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from gis.errors import BadInput, Conflict, NotFound
from gis.notify.channels.mail import check_mail_address
from gis.notify.notification import Language
from layers.definition.catalogue import Catalogue
from layers.definition.messages import near
from layers.definition.model import Layer


@dataclass(frozen=True, slots=True)
class Steward:
    """A recipient of letters; `department` is in Vietnamese, as the layer files write it."""

    id: int
    department: str
    address: str
    language: Language
    created_at: datetime
    created_by: str


def departments(catalogue: Catalogue) -> dict[str, list[Layer]]:
    """The layers that are filled, by the department that answers for them, in Vietnamese."""
    found: dict[str, list[Layer]] = {}
    for layer in catalogue.layers:
        if not layer.is_view:
            found.setdefault(layer.department.vi, []).append(layer)
    return found


def add_steward(
    connection: Connection,
    catalogue: Catalogue,
    department: str,
    address: str,
    who: str,
    language: Language = Language.VI,
) -> None:
    """Send letters about a department's layers there, from the week on that ends next.

    Raises NotFound for a department that no layer file names, BadInput for an address that is none,
    Conflict for one that has them.
    """
    known = departments(catalogue)
    if department not in known:
        raise NotFound(f"no layer file names the department {department}{near(department, known)}")
    check_mail_address(address)
    values = {
        "department": department, "address": address, "language": language.value, "who": who,
    }  # fmt: skip
    if connection.scalar(_ADD, values) is None:
        raise Conflict(f"{address} has the letters of {department} already")


def end_steward(connection: Connection, department: str, address: str) -> None:
    """Send no more letters there. Raises NotFound."""
    ended = connection.scalar(_END, {"department": department, "address": address})
    if ended is None:
        raise NotFound(f"{address} has no letters of {department}")


def stewards(connection: Connection) -> list[Steward]:
    """The stewards in force, by department."""
    rows = connection.execute(_LIST)
    return [
        Steward(row.id, row.department, row.address, Language(row.language), row.created_at,
                row.created_by)
        for row in rows
    ]  # fmt: skip


def last_letters(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The last letters with their state, the newest first."""
    return [dict(row._mapping) for row in connection.execute(_LETTERS, {"limit": limit})]


def week_of(text_of_day: str, today: date) -> date:
    """The Monday of the week of a day such as 2026-11-23, up to today's. Raises BadInput."""
    try:
        day = date.fromisoformat(text_of_day)
    except ValueError:
        raise BadInput(f"{text_of_day!r} is no day: write it as 2026-11-23") from None
    if day > today:
        raise BadInput(f"{day} is still to come: give a day up to {today}")
    return date.fromordinal(day.toordinal() - day.weekday())


_ADD = text("""
INSERT INTO private.steward (department, address, language, created_by)
VALUES (:department, :address, :language, :who)
ON CONFLICT (department, address) WHERE ended_at IS NULL DO NOTHING RETURNING id
""")
_END = text("""
UPDATE private.steward SET ended_at = now()
WHERE department = :department AND address = :address AND ended_at IS NULL RETURNING id
""")
_LIST = text("""
SELECT id, department, address, language, created_at, created_by FROM private.steward
WHERE ended_at IS NULL ORDER BY department, address
""")
_LETTERS = text("""
SELECT l.week, s.department, s.address, l.state, l.attempts, l.ended_at, l.error
FROM gis.letter l JOIN private.steward s ON s.id = l.steward_id
ORDER BY l.week DESC, s.department, s.address LIMIT :limit
""")
