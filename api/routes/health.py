"""Is the process alive, and can it serve?

Asked in threads and by connections of their own, so that no reader keeps the answer waiting.
"""

from fastapi import APIRouter, Depends, Request, Response

from api.dependencies import Caller, DeclaredParameters
from api.reserve import Reserve
from gis.alerts.self_monitoring import failing_alarms
from gis.database.disk import check_disk
from gis.database.engine import Database
from gis.database.migrate import check_revision
from layers.definition.catalogue import Catalogue


def _kept_by_none(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


router = APIRouter(
    prefix="/health", tags=["health"], dependencies=[DeclaredParameters, Depends(_kept_by_none)]
)


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "live"}


@router.get("")
@router.get("/ready")
async def ready(request: Request, caller: Caller) -> dict[str, str | int]:
    """The database answers, has this version's schema and room on its disk; 503 otherwise.

    `failing_alarms`: of how many layers that the caller may read the alarm keeps failing; their
    alerts say which.
    `bad_layer_files`: how many cannot be read, so that the last good layers stay in force.
    """
    reserve: Reserve = request.app.state.health
    # The layers that were in force at the last check: what is asked anew might have to wait.
    catalogue: Catalogue = request.app.state.layer_files.catalogue
    readable = [layer.id for layer in catalogue.readable(caller)]
    revision, failing = await reserve.run(_look, reserve.database, readable)
    return {
        "status": "ready",
        "revision": revision,
        "failing_alarms": failing,
        "bad_layer_files": request.app.state.layer_files.bad_files,
    }


def _look(database: Database, layers: list[str]) -> tuple[str, int]:
    """The revision of the schema, and how many alarms fail."""
    with database.reading() as connection:
        revision = check_revision(connection)
        check_disk(connection)
        return revision, failing_alarms(connection, layers)
