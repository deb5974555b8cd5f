"""Layers of measurements for tests: river gauges in the toy province."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gis.database.engine import Database
from gis.database.roles import as_owner
from layers.definition.model import Layer
from layers.ingest.load import LoadReport
from tests.intake_layers import POINT, layer_of, load, write_csv

# name, longitude, latitude: in the first and the second commune
STATIONS = {"A": (104.05, 22.05), "B": (104.15, 22.05)}
COLUMNS = ("code", "lon", "lat", "at", "level", "name", "flag")
BD = [{"title": {"vi": f"BĐ{n}", "en": f"Alarm {n}"}, "at": float(n + 1)} for n in (1, 2, 3)]
LEVEL = {
    "every": "1h",
    "plausible": {"at_least": 0, "at_most": 50},
    "thresholds": BD,
    "hysteresis": 0.2,
    "trend": {"hours": 3, "steady": 0.05},
}


def gauges(level: Mapping[str, Any] | None = None, **parts: Any) -> Layer:
    """The layer `mz`: BĐ1–3 at 2, 3 and 4 m, of values from 0 to 50 m."""
    source = {
        "key": "code",
        "coordinates": POINT,
        "time": {"column": "at"},
        "measured": {"quality": {"column": "flag", "values": {"ok": "good"}}},
        **parts.pop("source", {}),
    }
    series = {"quantities": {"level": level or LEVEL}, **parts.pop("series", {})}
    fields = {"level": {"type": "number", "unit": "m"}, "name": "text"}
    return layer_of(source, {**fields, **parts.pop("fields", {})}, series=series, **parts)


def measured(station: str, at: str, level: Any, flag: str = "", name: str = "") -> tuple[Any, ...]:
    """A record with its station's place; `at` is a local time."""
    lon, lat = STATIONS[station]
    return station, lon, lat, at, level, name or f"Trạm {station}", flag


def load_measurements(
    database: Database, layer: Layer, folder: Path, *records: Sequence[Any], **options: Any
) -> LoadReport:
    path = write_csv(folder / "measured.csv", COLUMNS, *records)
    return load(database, layer, path, **{"confirmed": True, **options})


def forget(database: Database) -> None:
    """Take away the layer and all that came of it: cheaper than a database for each test."""
    with database.writing() as connection, as_owner(connection):
        connection.execute(text("DROP TABLE IF EXISTS layer.mz, layer.mz_measurements"))
        connection.execute(text("DELETE FROM gis.layer WHERE id = 'mz'"))
        connection.execute(
            text(
                "TRUNCATE gis.measurement_history, gis.row_history, gis.load, gis.quarantine,"
                " gis.alert, gis.alert_evaluation, private.reporter CASCADE"
            )
        )


def rows(database: Database, statement: str, **values: Any) -> list[Any]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def stored(database: Database, columns: Iterable[str] = ("value",)) -> list[Any]:
    """Measurements by station and local time."""
    names = ", ".join(f"m.{name}" for name in columns)
    return rows(
        database,
        "SELECT s.source_key, to_char(m.measured_at AT TIME ZONE interval '7 hours',"
        f" 'MM-DD HH24:MI'), {names}"
        " FROM layer.mz_measurements m JOIN layer.mz s ON s.id = m.station"
        " ORDER BY 1, m.measured_at, m.quantity",
    )


def version(database: Database) -> int:
    return rows(database, "SELECT version FROM gis.layer WHERE id = 'mz'")[0][0]
