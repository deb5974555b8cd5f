"""The demo: simulated records, loaded through the same door as real ones."""

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from api.demo_sources.beside import has_real_records
from gis.access import LOCAL_ADMIN
from gis.boundaries.store import read_history
from gis.database.engine import Database
from gis.errors import BadInput
from gis.placing.reference import read_current_communes
from layers.definition.catalogue import Catalogue
from layers.ingest.demo import Incident, Report, simulate_incidents, simulate_reports, write_csv
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.mode import LoadMode
from layers.ingest.yagi import yagi_reports

SOURCE = "demo"
YAGI = "yagi"
LAYERS = ("citizen_reports", "field_incidents")
_FRESH = timedelta(days=2)  # older simulated days would show no outbreak any more

Show = Callable[[int, int], None]


def load_demo(
    database: Database, catalogue: Catalogue, until: datetime, show: Show
) -> list[LoadReport]:
    """Replace the simulated records by those of the 90 days before `until`.

    Layers that the catalogue does not have are passed over.
    """
    with database.reading() as connection:
        communes = read_current_communes(connection)
    simulated: dict[str, Sequence[Report] | Sequence[Incident]] = {
        "citizen_reports": simulate_reports(communes, until),
        "field_incidents": simulate_incidents(communes, until),
    }
    options = LoadOptions(
        who=LOCAL_ADMIN.name,
        source=SOURCE,
        simulated=True,
        mode=LoadMode.REPLACE,
        confirmed=True,
        today=until.date(),
    )
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for layer in catalogue.layers:
            if layer.id in LAYERS:
                path = Path(folder) / f"{layer.id}.csv"
                write_csv(path, simulated[layer.id])
                reports.append(load_file(database, layer, path, options, show))
    return reports


def load_yagi(
    database: Database, catalogue: Catalogue, until: datetime, show: Show
) -> list[LoadReport]:
    """Load the night of typhoon Yagi over ordinary simulated days; its last hour ends at `until`.

    Raises BadInput in a database that holds real records: the night would be told to who is on duty
    among them.
    """
    if has_real_records(database):
        raise BadInput(
            "this database holds real records, beside which a simulated night is no demo: run "
            "the scenario in a database of its own (GIS_DATABASE_URL or GIS_HOME)"
        )
    with database.reading() as connection:
        communes, history = read_current_communes(connection), read_history(connection)
    night = yagi_reports(communes, history, until)
    loads = load_demo(database, catalogue, until, show)
    options = LoadOptions(
        who=LOCAL_ADMIN.name,
        source=YAGI,
        simulated=True,
        mode=LoadMode.REPLACE,
        confirmed=True,
        today=until.date(),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yagi.csv"
        write_csv(path, night)
        return [*loads, load_file(database, catalogue.get(LAYERS[0]), path, options, show)]


def wants_demo(database: Database, catalogue: Catalogue, now: datetime) -> bool:
    """True where nothing real was ever loaded, and the demo is missing, partial or out of date."""
    wanted = {layer.id for layer in catalogue.layers} & set(LAYERS)
    if has_real_records(database):
        return False
    with database.reading() as connection:
        rows = connection.execute(
            text("SELECT layer_id, max(loaded_at) AS at FROM gis.load GROUP BY layer_id")
        )
        fresh = {row.layer_id for row in rows if row.at > now - _FRESH}
    return not wanted <= fresh
