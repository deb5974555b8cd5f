"""Approval of an alert: from then on everybody sees it, and its CAP documents are public.

By a person, or at once by the service where the setting `publish_alerts` says so
(`gis.approve_at_once`). A person takes an approval back, also that of the service.
"""

from sqlalchemy import Connection, text

from gis.alerts.notes import check_comment
from gis.alerts.states import Act, Status
from gis.alerts.store import SERVICE, record_event
from gis.errors import Conflict, NotFound

_ALERT = text(
    "SELECT layer_id, status, official, gis.is_public(layer_id) AS of_all,"
    " gis.is_internal(rule) AS is_internal FROM gis.alert"
    " WHERE id = :id FOR UPDATE"
)

# A second approval changes something only where it confirms what the first did not, or where that
# was taken back.
_APPROVE = text("""
INSERT INTO gis.approval AS a (alert_id, who, note, confirmed)
VALUES (:id, :who, :note, :confirmed)
ON CONFLICT (alert_id) DO UPDATE SET at = now(), who = excluded.who, note = excluded.note,
  confirmed = excluded.confirmed OR a.confirmed AND a.withdrawn_at IS NULL,
  withdrawn_at = NULL, withdrawn_by = NULL
WHERE excluded.confirmed AND NOT a.confirmed OR a.withdrawn_at IS NOT NULL
RETURNING alert_id
""")
_WITHDRAW = text("""
UPDATE gis.approval SET withdrawn_at = now(), withdrawn_by = :who
WHERE alert_id = :id AND withdrawn_at IS NULL RETURNING alert_id
""")


def approve(
    connection: Connection, alert_id: int, who: str, note: str = "", *, confirmed: bool = False
) -> None:
    """Make an alert public. `confirmed`: somebody saw that it is true, so certainty is Observed.

    Raises NotFound, BadInput for a note too long, and Conflict for an alert of a layer that is not
    public, that is for operators alone, that is not open or acknowledged, that rests on approximate
    boundaries, or that is approved already.
    """
    check_comment(note)
    row = connection.execute(_ALERT, {"id": alert_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    if row.is_internal:
        raise Conflict(f"alert {alert_id} is for operators alone, so it is never made public")
    if not row.of_all:
        raise Conflict(
            f"alert {alert_id} is of the layer {row.layer_id}, which not everybody may read, so it "
            "is never made public: who may read the layer has its restricted documents"
        )
    if row.status not in (Status.OPEN, Status.ACKNOWLEDGED):
        raise Conflict(f"alert {alert_id} is {row.status}: only an open one can be made public")
    if not row.official:
        raise Conflict(
            f"alert {alert_id} rests on approximate boundaries, so it is never made public: "
            "load official boundaries"
        )
    values = {"id": alert_id, "who": who, "note": note, "confirmed": confirmed}
    if connection.execute(_APPROVE, values).one_or_none() is None:
        raise Conflict(f"alert {alert_id} is approved already")
    record_event(connection, alert_id, who, Act.APPROVED, note)


def withdraw(connection: Connection, alert_id: int, who: str, note: str = "") -> None:
    """Take an approval back: the alert is for the desk alone again, and the public's chain of CAP
    documents ends with a Cancel. What somebody has read, he has read.

    Raises NotFound, BadInput for a note too long, and Conflict for an alert that is not public.
    """
    check_comment(note)
    if connection.execute(_ALERT, {"id": alert_id}).one_or_none() is None:
        raise NotFound(f"there is no alert {alert_id}")
    if connection.execute(_WITHDRAW, {"id": alert_id, "who": who}).one_or_none() is None:
        raise Conflict(f"alert {alert_id} is not public, so there is nothing to take back")
    record_event(connection, alert_id, who, Act.WITHDRAWN, note, notify=False)


def publish_at_once(connection: Connection, publish: str) -> int:
    """Follow the setting `publish_alerts`: alerts that it makes public from now on, and those that
    are open; gives how many of these are new. What was public stays so.
    """
    connection.execute(_SETTING, {"publish": publish})
    approved = connection.scalars(text("SELECT gis.approve_at_once()")).all()
    for alert_id in approved:
        record_event(connection, alert_id, SERVICE, Act.APPROVED, "", notify=False)
    return len(approved)


_SETTING = text("UPDATE gis.publication SET publish = :publish WHERE publish <> :publish")
