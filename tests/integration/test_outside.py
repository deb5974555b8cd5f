"""A record outside the province is kept, told where it lies, corrected and tried again."""

from pathlib import Path

import geopandas as gpd
import httpx
import pytest
import shapely
from sqlalchemy import text

from gis.access import Role, create_key
from gis.boundaries.loader import load_boundaries
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.ingest.corrections import fix
from layers.ingest.mode import LoadMode
from layers.ingest.quarantine import drop
from layers.ingest.regeocode import regeocode
from layers.ingest.retry import replay
from tests.intake_layers import (
    FILES,
    MZ,
    POINT,
    layer_of,
    load,
    publish,
    rows,
    waiting,
    write_csv,
)
from tests.integration.ogc_app import client_of
from tests.provinces import toy_communes, toy_history, write_boundaries

COLUMNS = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")
IN = ("in", 104.05, 22.05, "", "", "2026-03-01", 1, 1, "")
EAST = ("east", 104.35, 22.05, "", "", "2026-03-01", 1, 1, "")
BESIDE = ("beside", 130.97, 22.05, "", "00004", "2026-03-01", 1, 1, "")


def counts(report) -> tuple[int, int, int, int]:
    return report.read, report.added, report.outside, report.quarantined


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "mz.csv", COLUMNS, IN, EAST, BESIDE)


def test_the_file_of_a_district_loses_none_of_its_records(lao_cai: Database) -> None:
    report = load(lao_cai, MZ, FILES / "outside.csv")
    assert counts(report) == (25, 21, 1, 3)
    kept = {one.source_key: one for one in waiting(lao_cai)}
    assert {key: one.reason for key, one in kept.items()} == {
        "sw": "bad_coordinates", "ty": "outside", "adr": "contradiction", "com": "contradiction",
    }  # fmt: skip
    assert kept["ty"].raw["lon"] == "130.9707"
    assert "contradict" not in kept["ty"].why
    assert all("contradict each other" in kept[key].why for key in ("adr", "com"))
    again = load(lao_cai, MZ, FILES / "outside.csv")
    assert (again.added, again.updated, again.unchanged) == (0, 0, 21)
    assert {one.source_key: one for one in waiting(lao_cai)} == kept


def test_a_record_outside_waits_with_where_it_lies(toy_province: Database, file: Path) -> None:
    report = load(toy_province, MZ, file)
    assert counts(report) == (3, 1, 1, 1)
    assert report.reasons == {"outside": 1, "contradiction": 1}
    east, beside = waiting(toy_province)
    assert [east.reason, beside.reason] == ["outside", "contradiction"]
    assert east.raw == {
        "id": "east", "lon": "104.35", "lat": "22.05", "when": "2026-03-01", "val": "1", "n": "1",
    }  # fmt: skip
    assert "about 5.2 km east of Xã Đồi Thông" in east.why
    assert "cách Xã Đồi Thông khoảng 5,2 km về phía đông" in east.why
    assert "contradict" not in east.why
    assert "its words name Xã Bãi Cát: coordinates and words contradict each other" in beside.why


def test_loading_again_adds_nothing(toy_province: Database, file: Path) -> None:
    load(toy_province, MZ, file)
    before = waiting(toy_province)
    assert counts(load(toy_province, MZ, file)) == (3, 0, 1, 1)
    assert waiting(toy_province) == before
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.load")) == 1


def test_a_corrected_record_leaves_and_its_old_file_does_not_bring_it_back(
    toy_province: Database, file: Path
) -> None:
    load(toy_province, MZ, file)
    east, beside = waiting(toy_province)
    with toy_province.writing() as connection:
        fix(connection, east.id, {"lon": "104.25"}, "officer")
    load(toy_province, MZ, file)
    assert waiting(toy_province)[0].raw["lon"] == "104.25", "a correction outlives a load"
    with toy_province.writing() as connection:
        drop(connection, beside.id, "officer")
        (tried,) = replay(connection, MZ, actor="officer")
    assert (tried.report.added, tried.still_waiting) == (1, 0)
    load(toy_province, MZ, file)
    assert waiting(toy_province) == []
    assert rows(toy_province, "source_key, commune") == [("east", "00007"), ("in", "00001")]


def test_what_its_source_says_anew_comes_back(toy_province: Database, tmp_path: Path) -> None:
    good = (*EAST[:1], 104.25, *EAST[2:])
    for versions in ((EAST, good, EAST), (EAST, (*EAST[:1], 104.36, *EAST[2:]))):
        for record in versions:
            load(toy_province, MZ, write_csv(tmp_path / "mz.csv", COLUMNS, IN, record))
        (again,) = waiting(toy_province)
        assert float(again.raw["lon"]) == versions[-1][1]


def test_a_correction_holds_no_more_when_the_source_sent_a_better_one(
    toy_province: Database, tmp_path: Path
) -> None:
    path = tmp_path / "mz.csv"
    load(toy_province, MZ, write_csv(path, COLUMNS, IN, EAST))
    with toy_province.writing() as connection:
        fix(connection, waiting(toy_province)[0].id, {"lon": "104.25"}, "officer")
        replay(connection, MZ, actor="officer")
    load(toy_province, MZ, write_csv(path, COLUMNS, IN, (*EAST[:1], 104.26, *EAST[2:])))
    load(toy_province, MZ, write_csv(path, COLUMNS, IN, EAST))
    assert [one.raw["lon"] for one in waiting(toy_province)] == ["104.35"]


def test_a_replay_of_what_lies_outside_asks_no_question(
    toy_province: Database, tmp_path: Path
) -> None:
    """Those alone that wait look like a file in another CRS; their file did not."""
    good = [(f"g{n}", 104.05, 22.05, *IN[3:]) for n in range(99)]
    swapped = ("swapped", 22.05, 104.35 - 90, *IN[3:])
    load(toy_province, MZ, write_csv(tmp_path / "mz.csv", COLUMNS, *good, EAST, swapped))
    with toy_province.writing() as connection:
        fix(connection, waiting(toy_province)[0].id, {"lon": "104.25"}, "officer")
        (tried,) = replay(connection, MZ, actor="officer")
    assert tried.question is None
    assert (tried.report.added, tried.still_waiting) == (1, 1)


def test_other_faults_of_a_record_outside_are_reported_too(
    toy_province: Database, tmp_path: Path
) -> None:
    wrong = (*EAST[:5], "hôm qua", *EAST[6:])
    report = load(toy_province, MZ, write_csv(tmp_path / "mz.csv", COLUMNS, IN, wrong))
    assert report.outside == 1
    (record,) = waiting(toy_province)
    assert record.reason == "outside" and "hôm qua" in record.why


def test_a_layer_that_keeps_what_lies_outside_does(toy_province: Database, file: Path) -> None:
    keeping = MZ.source.model_copy(update={"outside": "keep"})
    report = load(toy_province, MZ.model_copy(update={"source": keeping}), file)
    assert counts(report) == (3, 3, 0, 0)
    assert waiting(toy_province) == []


def test_a_replacing_load_keeps_the_row_of_a_record_that_came_again_outside(
    toy_province: Database, tmp_path: Path
) -> None:
    path = tmp_path / "mz.csv"
    load(toy_province, MZ, write_csv(path, COLUMNS, IN, (*EAST[:1], 104.25, *EAST[2:])))
    report = load(toy_province, MZ, write_csv(path, COLUMNS, IN, EAST), mode=LoadMode.REPLACE)
    assert report.removed == 0
    assert [key for (key,) in rows(toy_province, "source_key")] == ["east", "in"]


@pytest.fixture
def desk(toy_province: Database, file: Path):
    load(toy_province, MZ, file)
    with toy_province.writing() as connection:
        key = create_key(connection, "tests", Role.ADMIN, [])
    with client_of(toy_province, [MZ]) as client:
        client.headers["X-API-Key"] = key
        yield client


ITEMS = "/ogc/collections/mz/items"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_outside_is_answered_at_once_and_nothing_is_stored(
    toy_province: Database, desk: httpx.Client, method: str
) -> None:
    before, (item,) = waiting(toy_province), desk.get(ITEMS).json()["features"]
    body = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [104.35, 22.05]},
        "properties": {"note": "new"},
    }
    answer = desk.request(method, ITEMS + ("" if method == "POST" else f"/{item['id']}"), json=body)
    assert answer.status_code == 400
    assert "about 5.2 km east of Xã Đồi Thông" in answer.json()["detail"]
    assert waiting(toy_province) == before
    assert rows(toy_province, "source_key, note") == [("in", None)]


def test_new_boundaries_bring_back_what_waited_and_list_what_is_outside_now(
    toy_province: Database, file: Path, tmp_path: Path
) -> None:
    catalogue = Catalogue((MZ,), {"mz": "1"})

    def give(*boxes: tuple[float, float]) -> None:
        communes = toy_communes()
        shapes = [shapely.box(west, 22, east, 22.1) for west, east in boxes]
        communes.geometry = gpd.GeoSeries(shapes, crs=communes.crs)
        path = write_boundaries(tmp_path, communes)
        load_boundaries(
            toy_province, BoundarySource("new", BoundaryQuality.OFFICIAL, (path,)), toy_history()
        )

    load(toy_province, MZ, file)
    regeocode(toy_province, catalogue)
    give((104.06, 104.1), (104.1, 104.2), (104.2, 104.4))
    (done,) = regeocode(toy_province, catalogue)
    assert (done.changed, done.outside, done.returned) == (1, 1, 1)
    assert rows(toy_province, "source_key, commune") == [("east", "00007"), ("in", None)]
    assert {one.source_key for one in waiting(toy_province)} == {"beside", "in"}

    give((104, 104.1), (104.1, 104.2), (104.2, 104.4))
    (done,) = regeocode(toy_province, catalogue)
    assert (done.outside, done.returned) == (0, 1)
    assert rows(toy_province, "source_key, commune") == [("east", "00007"), ("in", "00001")]
    assert [one.source_key for one in waiting(toy_province)] == ["beside"]


def test_a_row_listed_after_new_boundaries_is_corrected_in_its_layer(
    toy_province: Database, tmp_path: Path
) -> None:
    layer = layer_of({"key": "id", "coordinates": POINT}, {"note": "text", "n": "integer"})
    publish(toy_province, layer)
    path = write_csv(
        tmp_path / "mz.csv", ("id", "lon", "lat", "note", "n"), (7, 104.05, 22.05, "a", 2**60)
    )
    load(toy_province, layer, path)
    communes = toy_communes()
    communes.geometry = communes.geometry.translate(xoff=0.08)
    source = BoundarySource(
        "new", BoundaryQuality.OFFICIAL, (write_boundaries(tmp_path, communes),)
    )
    load_boundaries(toy_province, source, toy_history())
    regeocode(toy_province, Catalogue((layer,), {"mz": "1"}))
    (before,) = rows(toy_province, "id")
    with toy_province.writing() as connection:
        (record,) = waiting(toy_province)
        fix(connection, record.id, {"geometry": "POINT (104.1 22.05)"}, "officer")
        replay(connection, layer, actor="officer")
    assert rows(toy_province, "id, commune, note, n") == [(*before, "00001", "a", 2**60)]
