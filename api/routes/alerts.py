"""Alerts, their source records, silences, and the actions of the operators on duty."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from api.bodies import Body
from api.conditional import conditional_json
from api.dependencies import Caller, DeclaredParameters, PolledReader, Reader, UsedCatalogue, Writer
from api.records import (
    alert_event_record,
    alert_record,
    json_ready,
    outline_record,
    precision_record,
    silence_record,
)
from gis.access import Principal, require_operator
from gis.alerts.actions import (
    Alert,
    acknowledge,
    comment,
    get_alert,
    history,
    list_alerts,
    outlines,
    resolve,
    take_over,
)
from gis.alerts.inhibition import Silence
from gis.alerts.notes import LONGEST_NOTE
from gis.alerts.policy import Tier
from gis.alerts.precision import precision
from gis.alerts.silences import silence, silences_at, unsilence
from gis.alerts.states import Outcome, Status
from gis.alerts.visibility import may_see, serves_desk
from gis.errors import NotFound
from layers.definition.catalogue import Catalogue
from layers.definition.messages import near
from layers.items.evidence import evidence_records

router = APIRouter(prefix="/alerts", tags=["alerts"], dependencies=[DeclaredParameters])

AlertNumber = Annotated[int, Field(ge=1, lt=2**63)]
Layers = Annotated[list[str], Query(description="Only alerts of these layers")]
Severities = Annotated[list[Tier], Query(description="Only alerts of these tiers")]
Statuses = Annotated[list[Status], Query(description="Only alerts in these states")]
Ids = Annotated[list[AlertNumber], Query(alias="id", description="Only alerts of these numbers")]
Geometry = Annotated[
    bool, Query(description="Also the area of each as GeoJSON, and a point for its mark; WGS 84")
]
Most = Annotated[int, Query(ge=1, le=10_000, description="Most alerts, the first of the order")]
Days = Annotated[int, Query(ge=1, le=3660, description="Of alerts of so many days")]


class CommentBody(Body):
    note: str = Field("", max_length=LONGEST_NOTE)


class Resolution(CommentBody):
    outcome: Outcome


class NewSilence(Body):
    """Matchers of a silence: one left out stands for any; one must be given."""

    until: AwareDatetime
    why: str = Field(max_length=LONGEST_NOTE)
    layer_id: str | None = None
    rule: str | None = None
    communes: list[str] = Field([])


@router.get("")
def alerts(
    request: Request,
    connection: PolledReader,
    catalogue: UsedCatalogue,
    caller: Caller,
    layer: Layers = [],  # noqa: B006  (FastAPI copies defaults)
    status: Statuses = list(Status),  # noqa: B006
    severity: Severities = list(Tier),  # noqa: B006
    ids: Ids = [],  # noqa: B006
    geometry: Geometry = False,
    limit: Most = 10_000,
) -> Response:
    """Alerts of the layers that the caller may read; polled with its ETag.

    Live ones by severity, of which those that nobody has acknowledged come first, the newest
    first; then those that have ended, the newest first. Everybody sees those that are published
    (approved, or at once by the setting `GIS_PUBLISH_ALERTS`); the others, those that are pending
    or suppressed too, are for operators and for keys that name their layer.
    """
    layers = _wanted(layer, _readable(catalogue, caller))
    rows = list_alerts(connection, layers=layers, statuses=status, tiers=severity, ids=ids)
    seen = [alert for alert in rows if may_see(alert, caller)][:limit]
    places = outlines(connection, [alert.id for alert in seen]) if geometry else {}
    records = [
        _shown(alert, caller) | (outline_record(places.get(alert.id)) if geometry else {})
        for alert in seen
    ]
    return conditional_json(request, {"alerts": records})


@router.get("/precision")
def alert_precision(
    connection: Reader, catalogue: UsedCatalogue, caller: Caller, days: Days = 365
) -> dict[str, Any]:
    """Precision: the share of true alerts by layer and rule, with its 95 % interval."""
    since = datetime.now(UTC) - timedelta(days=days)
    rows = precision(connection, _readable(catalogue, caller), since)
    return {"precision": [precision_record(row) for row in rows]}


@router.get("/silences")
def silences(connection: Reader, catalogue: UsedCatalogue, caller: Caller) -> dict[str, Any]:
    """The silences in force, but for those of layers that the operator may not read."""
    require_operator(caller)
    in_force = _silences(connection, catalogue, caller)
    return {"silences": [json_ready(silence_record(each)) for each in in_force]}


@router.post("/silences", status_code=201)
def begin_silence(
    body: NewSilence, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Silence alerts: they send no notifications and stay suppressed until the silence ends.

    One of the same alerts that is in force and lasts as long is given back.
    """
    require_operator(caller)
    if body.layer_id is not None:
        _wanted([body.layer_id], _readable(catalogue, caller))
    if body.rule is not None:
        Catalogue(tuple(catalogue.readable(caller))).check_rule(body.rule)
    begun = silence(connection, who=caller.name, **body.model_dump())
    return {"id": begun.id, "until": begun.until.isoformat()}


@router.delete("/silences/{silence_id}", status_code=204)
def end_silence(
    silence_id: int, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> None:
    """Notifications of the alerts that it suppressed go out within a second or two."""
    require_operator(caller)
    if silence_id not in {each.id for each in _silences(connection, catalogue, caller)}:
        raise NotFound(f"no silence {silence_id} is in force")
    unsilence(connection, silence_id, caller.name)


@router.get("/{alert_id}")
def alert(
    alert_id: int,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    geometry: Geometry = False,
) -> dict[str, Any]:
    """One alert with its history."""
    alert = _visible(connection, alert_id, catalogue, caller)
    events = [json_ready(alert_event_record(event)) for event in history(connection, alert_id)]
    hidden = set() if serves_desk(caller, alert.layer_id) else {"who", "note"}
    shown = [{k: v for k, v in event.items() if k not in hidden} for event in events]
    places = outlines(connection, [alert_id]) if geometry else {}
    outline = outline_record(places.get(alert_id)) if geometry else {}
    return {**_shown(alert, caller), **outline, "records": list(alert.records), "history": shown}


@router.get("/{alert_id}/records")
def alert_records(
    alert_id: int, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Source records of an alert, as GeoJSON, without personal fields."""
    alert = _visible(connection, alert_id, catalogue, caller)
    layer = catalogue.get(alert.layer_id)
    features = evidence_records(connection, layer, alert.records, caller)
    return {"type": "FeatureCollection", "features": features}


@router.post("/{alert_id}/acknowledge")
def acknowledge_alert(
    alert_id: int, body: CommentBody, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """An operator takes it on. 409 unless it is open."""
    _check_may_act(connection, alert_id, catalogue, caller)
    acknowledge(connection, alert_id, caller.name, body.note)
    return json_ready(alert_record(get_alert(connection, alert_id)))


@router.post("/{alert_id}/take-over")
def take_over_alert(
    alert_id: int, body: CommentBody, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """An operator takes it over from the one who has it. 409 where nobody else has."""
    _check_may_act(connection, alert_id, catalogue, caller)
    take_over(connection, alert_id, caller.name, body.note)
    return json_ready(alert_record(get_alert(connection, alert_id)))


@router.post("/{alert_id}/comment")
def comment_alert(
    alert_id: int, body: CommentBody, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """A remark in the history, seen by operators."""
    _check_may_act(connection, alert_id, catalogue, caller)
    comment(connection, alert_id, caller.name, body.note)
    return json_ready(alert_record(get_alert(connection, alert_id)))


@router.post("/{alert_id}/resolve")
def resolve_alert(
    alert_id: int, body: Resolution, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """An operator says that it is over, and whether it was true; a false alarm needs a note."""
    _check_may_act(connection, alert_id, catalogue, caller)
    resolve(connection, alert_id, caller.name, body.outcome, body.note)
    return json_ready(alert_record(get_alert(connection, alert_id)))


def _shown(alert: Alert, caller: Principal) -> dict[str, Any]:
    """The alert as JSON; who is not of its desk reads neither names of people nor the number of a
    situation that is not published.
    """
    record = json_ready(alert_record(alert))
    if serves_desk(caller, alert.layer_id):
        return record
    within = alert.within_id if alert.within_published else None
    return record | {"acknowledged_by": None, "within": within}


def _readable(catalogue: Catalogue, caller: Principal) -> list[str]:
    return [layer.id for layer in catalogue.readable(caller)]


def _silences(connection: Connection, catalogue: Catalogue, caller: Principal) -> list[Silence]:
    """Silences in force that name no layer which the caller may not read."""
    readable = {None, *_readable(catalogue, caller)}
    in_force = silences_at(connection, datetime.now(UTC))
    return [each for each in in_force if each.layer_id in readable]


def _wanted(named: list[str], readable: list[str]) -> list[str]:
    """The layers that were named, else all; NotFound for one that the caller may not read."""
    unknown = set(named) - set(readable)
    if unknown:
        raise NotFound(f"there is no layer {min(unknown)}{near(min(unknown), readable)}")
    return named or readable


def _visible(
    connection: Connection, alert_id: int, catalogue: Catalogue, caller: Principal
) -> Alert:
    alert = get_alert(connection, alert_id)
    readable = alert.layer_id in _readable(catalogue, caller)
    if not (readable and may_see(alert, caller)):
        raise NotFound(f"there is no alert {alert.id}")
    return alert


def _check_may_act(
    connection: Connection, alert_id: int, catalogue: Catalogue, caller: Principal
) -> None:
    """Raises NoKey or NotAllowed for a principal who is no operator, NotFound for an alert that it
    may not read.
    """
    require_operator(caller)
    _visible(connection, alert_id, catalogue, caller)
