"""Calibration of the alarms against their budgets, by month: a page, its numbers, QQ plots."""

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

_HEADERS = {"Cache-Control": "no-cache"}


@router.get("")
def months(
    request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    """The alarms of each layer against its budget: of the last year, and by month, newest first.

    A page for browsers (`f=html`, in the language `lang`), else JSON (`f=json`). Of layers that the
    caller may read. The budget is that of today.
    """
    from layers.detect.budget import budget_of

    only_known(request)
    negotiation = negotiate(request)
    calibrations = [
        _layer(connection, layer, budget, negotiation)
        for layer in catalogue.readable(caller)
        if (budget := budget_of(layer))
    ]
    response = answer(
        request, negotiation, "calibration.html", {"calibration": calibrations}, "application/json"
    )
    response.headers.update(_HEADERS)
    return response


@router.get("/{layer_id}/{month}.svg", response_class=Response, dependencies=[DeclaredParameters])
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
    month_tally = tally(connection, budget, begin, last_day_of(begin))
    if not month_tally.p_values:
        why = "simulated records alone were" if month_tally.simulated_days else "nothing was"
        raise NotFound(f"there is no picture of {layer_id} in {month}: {why} looked at")
    svg = month_plot(month_tally, layer.title.vi, begin)
    return Response(svg, media_type="image/svg+xml", headers=_HEADERS)


def _layer(
    connection: Connection, layer: Layer, budget: Budget, negotiation: Negotiation
) -> dict[str, Any]:
    year = tally(connection, budget, *last_year(datetime.now(UTC)))
    by_month = monthly(connection, budget, today())
    return {
        "layer_id": layer.id,
        "title": layer.title.model_dump(),
        "false_alerts_a_year": budget.false_alerts_a_year,
        "simulated_alone": not any(month_tally.days for month_tally in by_month.values())
        and bool(by_month),
        "last_year": _numbers(year),
        "months": [
            _month(month, month_tally, negotiation) for month, month_tally in by_month.items()
        ],
    }


def _month(month: date, month_tally: Tally, negotiation: Negotiation) -> dict[str, Any]:
    name = f"{month:%Y-%m}"
    picture = {
        "rel": "related",
        "type": "image/svg+xml",
        "title": "QQ",
        "href": f"{negotiation.root}/alerts/calibration/{month_tally.layer_id}/{name}.svg",
    }
    return {
        "month": name,
        **_numbers(month_tally),
        "links": [picture] if month_tally.p_values else [],
    }


def _numbers(tally: Tally) -> dict[str, Any]:
    return {
        "days": tally.days,
        "days_of_simulated_records_alone": tally.simulated_days,
        "alarms": tally.alarms,
        "allowed": round(tally.allowed, 2),
        "found_true": tally.answers.true,
        "found_false": tally.answers.false,
        "share_true": tally.answers.share_true,
        "interval": list(tally.answers.interval),
        "p_values": len(tally.p_values),
        "judged": tally.judged,
        "faults": [{"vi": vi, "en": en} for vi, en in tally.faults()],
    }
