"""Is the process alive, and can it serve?"""

from fastapi import APIRouter, Request

from api.dependencies import DeclaredParameters, UsedDatabase
from gis.alerts.failing import failing_alarms
from gis.database.migrate import newest_revision, revision_of
from gis.errors import Unavailable

router = APIRouter(prefix="/health", tags=["health"], dependencies=[DeclaredParameters])


@router.get("/live")
def live() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "live"}


@router.get("")
@router.get("/ready")
def ready(request: Request, database: UsedDatabase) -> dict[str, str | int]:
    """The database answers and has this version's schema; 503 otherwise.

    `failing_alarms`: of how many layers the alarm keeps failing; their alerts say which.
    `bad_layer_files`: how many cannot be read, so that the last good layers stay in force.
    """
    with database.reading() as connection:
        revision = revision_of(connection)
        current = revision == newest_revision()
        failing = failing_alarms(connection) if current else 0
    if not current:
        raise Unavailable(
            f"the database is at revision {revision}, this version needs {newest_revision()}: "
            "run `gis db migrate`"
        )
    return {
        "status": "ready",
        "revision": str(revision),
        "failing_alarms": failing,
        "bad_layer_files": request.app.state.layer_files.bad_files,
    }
