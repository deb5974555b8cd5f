"""Whether the alarms keep their promise, month by month: a page, its numbers, and QQ plots."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import Connection

from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.responses import answer
from gis.alerts.calibration import Budget, Tally, last_year, monthly, tally
from gis.alerts.plots import month_plot
from gis.clock import last_day_of, month_from, today
from gis.errors import NotFound
from layers.definition.model import Layer

router = APIRouter(prefix="/alerts/calibration", tags=["alerts"])

Month = Annotated[str, Path(description="Year and month, as 2026-10")]

_KEPT = {"Cache-Control": "no-cache"}


@router.get("")
@router.head("", include_in_schema=False)
def months(
    request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    """The alarms of each layer against its budget: of the last year, and by month, newest first.

    A page for browsers (`f=html`, in the language `lang`), else JSON (`f=json`). Of layers that the
    caller may read. The budget is that of today.
    """
    from layers.detect.budget import budget_of

    only_known(request)
    how = negotiate(request)
    found = [
        _layer(connection, layer, budget, how)
        for layer in catalogue.readable(caller)
        if (budget := budget_of(layer))
    ]
    made = answer(request, how, "calibration.html", {"calibration": found}, "application/json")
    made.headers.update(_KEPT)
    return made


@router.get("/{layer_id}/{month}.svg", response_class=Response, dependencies=[DeclaredParameters])
@router.head("/{layer_id}/{month}.svg", include_in_schema=False)
def plot(
    layer_id: str, month: Month, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    """The p-values of a month, one a day and stream, against those of chance, as a QQ plot.

    404 for a month without any, of which it says why.
    """
    from layers.detect.budget import budget_of

    layer = catalogue.get_readable(layer_id, caller)
    begin, budget = month_from(month), budget_of(layer)
    if budget is None:
        raise NotFound(f"layer {layer_id} has no alarms: its file has no `hotspots` or no `alerts`")
    told = tally(connection, budget, begin, last_day_of(begin))
    if not told.p_values:
        why = "simulated records alone were" if told.simulated_days else "nothing was"
        raise NotFound(f"there is no picture of {layer_id} in {month}: {why} looked at")
    drawn = month_plot(told, layer.title.vi, begin)
    return Response(drawn, media_type="image/svg+xml", headers=_KEPT)


def _layer(
    connection: Connection, layer: Layer, budget: Budget, how: Negotiation
) -> dict[str, Any]:
    year = tally(connection, budget, *last_year(datetime.now(UTC)))
    by_month = monthly(connection, budget, today())
    return {
        "layer_id": layer.id,
        "title": layer.title.model_dump(),
        "false_alerts_a_year": budget.false_alerts_a_year,
        "simulated_alone": not any(told.days for told in by_month.values()) and bool(by_month),
        "last_year": _numbers(year),
        "months": [_month(month, told, how) for month, told in by_month.items()],
    }


def _month(month: date, told: Tally, how: Negotiation) -> dict[str, Any]:
    name = f"{month:%Y-%m}"
    picture = {
        "rel": "related",
        "type": "image/svg+xml",
        "title": "QQ",
        "href": f"{how.root}/alerts/calibration/{told.layer_id}/{name}.svg",
    }
    return {"month": name, **_numbers(told), "links": [picture] if told.p_values else []}


def _numbers(told: Tally) -> dict[str, Any]:
    return {
        "days": told.days,
        "days_of_simulated_records_alone": told.simulated_days,
        "alarms": told.alarms,
        "allowed": round(told.allowed, 2),
        "found_true": told.answers.true,
        "found_false": told.answers.false,
        "share_true": told.answers.share_true,
        "interval": list(told.answers.interval),
        "p_values": len(told.p_values),
        "judged": told.judged,
        "faults": [{"vi": vi, "en": en} for vi, en in told.faults()],
    }
