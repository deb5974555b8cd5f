"""Alerts: what is open, and the acts of the operators on duty."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.conditional import conditional_json
from api.dependencies import Caller, Reader, UsedCatalogue, Writer
from gis.access import Principal, require_operator
from gis.alerts.life import (
    Alert,
    acknowledge,
    get_alert,
    history,
    list_alerts,
    resolve,
)
from gis.alerts.states import Outcome, Status
from gis.errors import NotFound
from layers.catalogue import Catalogue

router = APIRouter(prefix="/alerts", tags=["alerts"])

Statuses = Annotated[list[Status], Query(description="Only alerts in these states")]


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=2000)


class Resolution(Note):
    outcome: Outcome


@router.get("")
def alerts(
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    status: Statuses = list(Status),  # noqa: B006  (FastAPI copies defaults)
) -> Response:
    """Alerts of the layers that the caller may read, live ones first; polled with its ETag."""
    readable = _readable(catalogue, caller)
    found = list_alerts(connection, layers=readable, statuses=status)
    return conditional_json(request, {"alerts": [_as_json(alert) for alert in found]})


@router.get("/{alert_id}")
def alert(
    alert_id: int, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """One alert with its history."""
    found = _visible(get_alert(connection, alert_id), catalogue, caller)
    events = [
        {"at": event.at.isoformat(), "act": event.act, "note": event.note, "who": event.who}
        for event in history(connection, alert_id)
    ]
    public = caller.role == "anonymous"
    hidden = {"who", "note"} if public else set()
    shown = [{k: v for k, v in event.items() if k not in hidden} for event in events]
    return {**_as_json(found), "history": shown}


@router.post("/{alert_id}/acknowledge")
def acknowledge_alert(
    alert_id: int, body: Note, connection: Writer, caller: Caller
) -> dict[str, Any]:
    """An operator takes it on. 409 unless it is open."""
    require_operator(caller)
    acknowledge(connection, alert_id, caller.name, body.note)
    return _as_json(get_alert(connection, alert_id))


@router.post("/{alert_id}/resolve")
def resolve_alert(
    alert_id: int, body: Resolution, connection: Writer, caller: Caller
) -> dict[str, Any]:
    """An operator says that it is over, and whether it was true; a false alarm needs a note."""
    require_operator(caller)
    resolve(connection, alert_id, caller.name, body.outcome, body.note)
    return _as_json(get_alert(connection, alert_id))


def _readable(catalogue: Catalogue, caller: Principal) -> list[str]:
    return [layer.id for layer in catalogue.readable(caller)]


def _visible(found: Alert, catalogue: Catalogue, caller: Principal) -> Alert:
    if found.layer_id not in _readable(catalogue, caller):
        raise NotFound(f"there is no alert {found.id}")
    return found


def _as_json(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "layer_id": alert.layer_id,
        "rule": alert.rule,
        "status": alert.status,
        "severity": alert.severity,
        "headline_vi": alert.headline_vi,
        "headline_en": alert.headline_en,
        "communes": [{"code": code, "name": name} for code, name in alert.communes],
        "official": alert.official,
        "simulated": alert.simulated,
        "opened_at": alert.opened_at.isoformat(),
        "updated_at": alert.updated_at.isoformat(),
        "bbox": list(alert.bbox),
    }
