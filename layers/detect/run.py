"""One run: a layer's rows → what a method finds → stored, and applied to the alerts; at once."""

from datetime import datetime

from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.errors import BadInput
from gis.jobs.kind import RunningJob
from gis.placing.reference import stored_territory
from layers.definition.model import Layer
from layers.detect.method import RunContext, RunReport
from layers.detect.methods import METHODS, alarms_of, layers_read, methods_of
from layers.detect.scan_cache import ScanCache


def run_hotspots(database: Database, layer: Layer, until: datetime) -> list[RunReport]:
    """Each method of the layer once, on what was received up to `until`.

    Raises BadInput for a layer without a section `hotspots`, or without boundaries.
    """
    if layer.hotspots is None:
        raise BadInput(f"layer {layer.id} has no section `hotspots` in its file")
    return [run_method(database, layer, method, until) for method in methods_of(layer)]


def run_method(
    database: Database,
    layer: Layer,
    method: str,
    until: datetime,
    *,
    prompt: bool = False,
    scans: ScanCache | None = None,
    job: RunningJob | None = None,
) -> RunReport:
    """One method, in one transaction; alarms of a layer wait for each other, and so do maps.

    `prompt`: the alarm judges by the nearest null distribution rather than draw one that takes
    long, and leaves out a stream without any; `NullPrecomputation` draws them for a later run.
    `scans`: those of runs before, of which streams that did not change are taken.
    `job`: that is to end with this transaction.
    Raises BadInput for a method that the layer's file does not ask for, or without boundaries;
    Superseded where the job is another's by now, and nothing is stored.
    """
    if layer.hotspots is None or method not in methods_of(layer):
        known = ", ".join(methods_of(layer)) or "none: it has no section `hotspots`"
        raise BadInput(f"layer {layer.id} has no method {method}; it has {known}")
    with database.writing() as connection:
        _wait_for_others(connection, layer, method)
        context = RunContext(
            connection=connection,
            version=_version_of(connection, layer, method),  # read before the rows
            territory=stored_territory(connection),
            layer=layer,
            options=layer.hotspots,
            alarms=alarms_of(layer),
            until=until,
            prompt=prompt,
            scans=scans or ScanCache(),
        )
        report = METHODS[method].run(context, METHODS[method].options_of(layer.hotspots))
        if job is not None:
            job.succeed(connection, f"run {report.run_id}: {report.found} found")
        return report


def _wait_for_others(connection: Connection, layer: Layer, method: str) -> None:
    """As long as it takes, since a run that is under way ends by itself.

    No alarm waits for a map, which may take minutes.
    """
    purpose = "map" if METHODS[method].rule is None else "alarm"
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    connection.execute(_ONE_AT_A_TIME, {"name": f"hotspots {layer.id} {purpose}"})
    connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def _version_of(connection: Connection, layer: Layer, method: str) -> int:
    """The version of the layer, with those of other layers that the method reads added."""
    rows = connection.execute(text("SELECT id, version FROM gis.layer"))
    versions = {row.id: int(row.version) for row in rows}
    if layer.id not in versions:
        raise BadInput(f"layer {layer.id} has no table yet: `gis layers sync` makes it")
    return sum(versions.get(one, 0) for one in layers_read(layer, method))
