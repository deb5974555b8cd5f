"""Runs that read what was closed since: their input and results are deleted. That they were made
stays known.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from gis.alerts.gathering import JOINT, SITUATION
from gis.alerts.redaction import redact_alerts
from layers.detect.budget import STATISTICAL
from layers.detect.findings_late import LATE
from layers.detect.methods import METHODS
from layers.detect.store import SQL

RUN_RULES = (*STATISTICAL, LATE, SITUATION)  # alerts that such runs raise


def redact_runs_of_field(connection: Connection, layer_id: str, field: str) -> int:
    """Redact the runs of a layer whose parameters name a field that became personal; how many."""
    why = f"field {field} of layer {layer_id} became personal"
    parameters = {"layer": layer_id, "field": field, "why": why}
    runs = list(connection.scalars(SQL["redact_runs_of_field"], parameters))
    _delete_results(connection, runs)
    connection.execute(SQL["forget_nulls"], {"layer": layer_id})
    connection.execute(SQL["prune_inputs"])
    return len(runs)


def redact_runs_exposed_to(connection: Connection, layer_id: str) -> int:
    """Redact the runs of other layers that read this one, closed by now; gives how many."""
    why = f"layer {layer_id}, its exposure, is no longer public"
    joint = f"layer {layer_id}, which was judged with it, is no longer public"
    values = {"layer": layer_id, "why": why, "joint": joint}
    runs = list(connection.scalars(SQL["redact_runs_exposed_to"], values))
    _delete_results(connection, runs)
    for carrier in connection.scalars(_JUDGED_WITH, {"runs": runs}).all():
        redact_alerts(connection, carrier, [JOINT])
    connection.execute(SQL["prune_inputs"])
    return len(runs)


_JUDGED_WITH = text("""
SELECT DISTINCT layer_id FROM gis.hotspot_run WHERE id = ANY(:runs) AND method = 'joint_scan'
""")


def _delete_results(connection: Connection, runs: Sequence[int]) -> None:
    if not runs:
        return
    tables = {method.results for method in METHODS.values()} | {"scan_stream"}
    for table in sorted(tables):
        statement = f"DELETE FROM gis.{table} WHERE run_id = ANY(:runs)"  # noqa: S608 (our own names)
        connection.execute(text(statement), {"runs": list(runs)})
    connection.execute(SQL["raise_results"])
