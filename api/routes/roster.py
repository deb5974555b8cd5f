"""The duty roster: for operators."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue
from api.records import gap_record, json_ready, shift_record
from gis.access import require_operator
from gis.clock import this_minute
from gis.notify.roster.gap_alert import roster_gaps
from gis.notify.roster.store import roster_in_force
from layers.definition.recipients import layers_with_alerts

router = APIRouter(prefix="/roster", tags=["alerts"], dependencies=[DeclaredParameters])

Days = Annotated[float, Query(gt=0, le=400, description="From now on, so many days")]


@router.get("")
def roster(
    connection: Reader, catalogue: UsedCatalogue, caller: Caller, days: Days = 1
) -> dict[str, Any]:
    """Shifts from now on, and the hours in which nobody is on duty for some alerts.

    An empty list of communes, layers or categories stands for all.
    """
    require_operator(caller)
    now = this_minute()
    until = now + timedelta(days=days)
    layers = [layer.id for layer in layers_with_alerts(catalogue)]
    return {
        "shifts": [json_ready(shift_record(e)) for e in roster_in_force(connection, now, until)],
        "gaps": [json_ready(gap_record(e)) for e in roster_gaps(connection, layers, now, until)],
    }
