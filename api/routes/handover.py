"""The hand-over between shifts: a page to print, and its JSON; for operators."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from api.dependencies import Caller, Reader, UsedCatalogue
from api.ogc.negotiation import negotiate, only_known
from api.ogc.responses import answer
from api.records import handover_record
from gis.access import require_operator
from gis.clock import this_minute
from gis.errors import BadInput
from gis.notify.handover import AHEAD, handover
from gis.notify.roster.gap_alert import roster_gaps
from gis.notify.roster.store import has_roster
from layers.definition.recipients import layers_with_alerts

router = APIRouter(prefix="/handover", tags=["alerts"])

Since = Annotated[
    AwareDatetime | None,
    Query(description="Beginning of the shift; unset: by the roster, else twelve hours ago"),
]
_LONGEST = timedelta(days=31)


@router.get("")
def handover_page(
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    since: Since = None,
) -> Response:
    """What is open, who has it, what was told, what changed in this shift, silences that end.

    A page for browsers (`f=html`, in the language `lang`), else JSON (`f=json`).
    """
    require_operator(caller)
    only_known(request, ("since",))
    negotiation = negotiate(request)
    now, minute = datetime.now(UTC), this_minute()
    if since is not None and not now - _LONGEST <= since <= now:
        raise BadInput("a shift began within the last 31 days: give since as 2026-12-01T07:00Z")
    readable = [layer.id for layer in catalogue.readable(caller)]
    with_alerts = [layer.id for layer in layers_with_alerts(catalogue)]
    gaps = (
        roster_gaps(connection, with_alerts, minute, minute + AHEAD)
        if has_roster(connection)
        else []
    )
    document = handover_record(handover(connection, readable, now, since, gaps))
    response = answer(request, negotiation, "handover.html", document, "application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
