"""Lines and areas on hexes: each has a cover, whatever is done to it, and counts in each hex."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import ARRAY, Connection, Text, bindparam, text

from gis.access import LOCAL_ADMIN
from gis.database.engine import Database
from gis.errors import BadLayerFile
from gis.hexes import COARSEST
from gis.placing.covers import hex_cover
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest import edit, loads
from layers.ingest.feature import BadRecord, Feature
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.mode import LoadMode
from layers.items import source_of
from layers.jobs.covers import fill_waiting_covers
from layers.storage.sync import sync
from layers.storage.tables import finest_of
from tests.intake_layers import layer_of, load, publish, rows, waiting

FIELDS = {"kind": "text", "val": "number"}


def shapes_layer(geometry: str, **hexes: Any) -> Layer:
    source = {"key": "id", "time": {"column": "at"}}
    told = layer_of(source, FIELDS).model_dump(mode="json")
    counted = {"resolutions": [5, 6, 7, 8], "category": "kind", "measure": "val", **hexes}
    return Layer.model_validate(told | {"geometry": geometry, "hexes": counted})


def write(path: Path, shapes: dict[str, shapely.Geometry], **about: Any) -> Path:
    members = [
        {
            "type": "Feature",
            "properties": {"id": key, "at": "2026-03-01", "kind": "x", "val": 1, **about},
            "geometry": shapely.geometry.mapping(shape),
        }
        for key, shape in shapes.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": members}))
    return path


def stored(connection: Connection) -> dict[tuple[int, int], tuple[float, float]]:
    found = connection.execute(text("SELECT id, cell, share, size FROM layer.mz_hexes"))
    return {(row.id, row.cell): (row.share, row.size) for row in found}


def hold(database: Database, layer: Layer) -> int:
    """Covers are those of the shapes as they are, and none waits; gives the number of shapes."""
    with database.snapshot() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.uncovered_shape")) == 0
        found = connection.execute(text("SELECT id, ST_AsBinary(geom) FROM layer.mz")).all()
        kept = stored(connection)
    ids = [row[0] for row in found]
    shapes = np.array([shapely.from_wkb(row[1]) for row in found], object)
    expected = {}
    for resolution in range(COARSEST, finest_of(layer) + 1):
        cover = hex_cover(shapes, resolution)
        columns = (cover.shape, cover.cell, cover.share, cover.size)
        for i, cell, *sizes in zip(*(column.tolist() for column in columns), strict=True):
            expected[ids[i], cell] = pytest.approx(tuple(sizes))
    assert kept == expected
    return len(ids)


def some_shape(random: np.random.Generator, geometry: str) -> shapely.Geometry:
    middle = random.uniform((104.02, 22.02), (104.18, 22.08))
    points = random.normal(middle, random.choice([0.001, 0.01]), (random.integers(2, 6), 2))
    line = shapely.LineString(points)
    return line if geometry == "line" else line.buffer(0.002)


class Desk:
    """Changes of a layer's rows, each in its own transaction, by every way there is."""

    def __init__(self, database: Database, layer: Layer, folder: Path, seed: int) -> None:
        self.database, self.layer, self.folder = database, layer, folder
        self.random = np.random.default_rng(seed)
        self.source = source_of(layer)

    def shape(self) -> shapely.Geometry:
        return some_shape(self.random, self.layer.geometry)

    def row(self) -> int:
        ids = [row[0] for row in rows(self.database, "id", "id")]
        return int(self.random.choice(ids)) if ids else self.add()

    def add(self) -> int:
        feature = Feature(self.shape(), {"kind": "x"}, has_geometry=True)
        with self.database.writing() as connection:
            return edit.add(connection, self.source, feature, LOCAL_ADMIN).id

    def replace(self) -> None:
        feature, row = Feature(self.shape(), {"kind": "y"}, has_geometry=True), self.row()
        with self.database.writing() as connection:
            edit.replace(connection, self.source, row, feature, LOCAL_ADMIN)

    def rename(self) -> None:
        feature, row = Feature(None, {"kind": "z"}, has_geometry=False), self.row()
        with self.database.writing() as connection:
            edit.modify(connection, self.source, row, feature, LOCAL_ADMIN)

    def delete(self) -> None:
        row = self.row()
        with self.database.writing() as connection:
            edit.delete(connection, self.source, row, LOCAL_ADMIN)

    def revert(self) -> None:
        self.replace()
        with self.database.writing() as connection:
            newest, *_ = edit.history(connection, self.layer.id)
            edit.revert(connection, self.layer, newest.id, LOCAL_ADMIN)

    def load(self, mode: LoadMode = LoadMode.UPSERT) -> int | None:
        shapes = {str(n): self.shape() for n in self.random.choice(9, 4, replace=False)}
        path = write(self.folder / "shapes.geojson", shapes)
        options = LoadOptions("tests", "tests", mode=mode, confirmed=True)
        return load_file(self.database, self.layer, path, options).load_id

    def mirror(self) -> None:
        self.load(LoadMode.MIRROR)

    def revert_load(self) -> None:
        number = self.load()
        assert number is not None
        with self.database.writing() as connection:
            loads.revert(connection, self.layer, number, LOCAL_ADMIN)

    def undone(self) -> None:
        feature = Feature(self.shape(), {}, has_geometry=True)
        with self.database.writing() as connection:
            edit.add(connection, self.source, feature, LOCAL_ADMIN)
            connection.rollback()

    def by_another_program(self) -> None:
        moved = text(
            "UPDATE layer.mz SET geom = ST_Multi(ST_GeomFromWKB(:shape, 4326)) WHERE id % 3 = 0"
        )
        with self.database.writing() as connection:
            connection.execute(moved, {"shape": shapely.to_wkb(self.shape())})
            connection.execute(text("DELETE FROM layer.mz WHERE id % 5 = 0"))
        fill_waiting_covers(self.database, Catalogue((self.layer,), {"mz": "1"}))

    def truncate(self) -> None:
        with self.database.writing() as connection:
            connection.execute(text("TRUNCATE layer.mz"))


ACTS = [
    Desk.add, Desk.replace, Desk.rename, Desk.delete, Desk.revert, Desk.load, Desk.mirror,
    Desk.revert_load, Desk.undone, Desk.by_another_program, Desk.load, Desk.truncate,
]  # fmt: skip


@pytest.mark.parametrize("geometry", ["line", "polygon"])
def test_covers_are_those_of_the_shapes_after_any_changes(
    toy_province: Database, tmp_path: Path, geometry: str
) -> None:
    layer = shapes_layer(geometry)
    publish(toy_province, layer)
    desk = Desk(toy_province, layer, tmp_path, seed=len(geometry))
    for act in (*ACTS, *desk.random.permutation(np.array(ACTS, object))):
        act(desk)
        hold(toy_province, layer)
    assert desk.load() is not None
    assert hold(toy_province, layer) >= 4


def test_writers_at_once_leave_no_cover_of_a_shape_that_was(
    toy_province: Database, tmp_path: Path
) -> None:
    """An officer and another program change the same rows, and the worker fills covers."""
    layer = shapes_layer("polygon", resolutions=[5, 8])
    publish(toy_province, layer)
    desks = [Desk(toy_province, layer, tmp_path, seed) for seed in range(3)]
    rows_there = [desks[0].add() for _ in range(3)]
    errors: list[BaseException] = []

    def write(desk: Desk) -> None:
        try:
            for n in range(6):
                feature = Feature(desk.shape(), {}, has_geometry=True)
                with toy_province.writing() as connection:
                    row = rows_there[n % 3]
                    edit.replace(connection, desk.source, row, feature, LOCAL_ADMIN)
        except BaseException as error:
            errors.append(error)

    def move_and_fill(desk: Desk) -> None:
        moved = text("UPDATE layer.mz SET geom = ST_Translate(geom, 0.001, 0) WHERE id % 2 = :n")
        try:
            for n in range(6):
                with toy_province.writing() as connection:
                    connection.execute(moved, {"n": n % 2})
                fill_waiting_covers(toy_province, Catalogue((layer,), {"mz": "1"}))
        except BaseException as error:
            errors.append(error)

    works = zip((write, write, move_and_fill), desks, strict=True)
    threads = [threading.Thread(target=work, args=(desk,)) for work, desk in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert hold(toy_province, layer) == 3


def test_a_bow_tie_of_another_program_stops_no_other_cover(
    toy_province: Database, tmp_path: Path
) -> None:
    layer = shapes_layer("polygon")
    publish(toy_province, layer)
    insert = text(
        "INSERT INTO layer.mz (geom, source, source_key)"
        " SELECT ST_Multi(ST_GeomFromText(shape, 4326)), 't', shape FROM unnest(:shapes) AS shape"
    ).bindparams(bindparam("shapes", type_=ARRAY(Text)))
    bow = "POLYGON((104.02 22.02, 104.06 22.06, 104.06 22.02, 104.02 22.06, 104.02 22.02))"
    with toy_province.writing() as connection:
        connection.execute(insert, {"shapes": [bow, shapely.box(104.02, 22.02, 104.03, 22.03).wkt]})
    fill_waiting_covers(toy_province, Catalogue((layer,), {"mz": "1"}))
    with toy_province.reading() as connection:
        found = connection.execute(text(
            "SELECT id, sum(share) FROM layer.mz_hexes WHERE gis.h3_resolution(cell) = 8 GROUP BY 1"
        )).all()  # fmt: skip
        assert connection.scalar(text("SELECT count(*) FROM gis.uncovered_shape")) == 0
    assert [share for _, share in found] == pytest.approx([1, 1])


def test_a_change_of_a_name_leaves_the_cover_alone(toy_province: Database, tmp_path: Path) -> None:
    layer = shapes_layer("line")
    publish(toy_province, layer)
    desk = Desk(toy_province, layer, tmp_path, seed=1)
    desk.add()
    place = text("SELECT array_agg(ctid::text ORDER BY ctid) FROM layer.mz_hexes")
    with toy_province.reading() as connection:
        before = connection.scalar(place)
    desk.rename()
    with toy_province.reading() as connection:
        assert connection.scalar(place) == before


def test_covers_follow_the_layer_file(toy_province: Database, tmp_path: Path) -> None:
    plain = Layer.model_validate(shapes_layer("polygon").model_dump(mode="json") | {"hexes": None})
    shapes = {
        "a": shapely.box(104.02, 22.02, 104.08, 22.08),
        "b": shapely.box(104, 22, 104.1, 22.1),
    }
    load(toy_province, plain, write(tmp_path / "areas.geojson", shapes))
    hexes_of = text("SELECT to_regclass('layer.mz_hexes') IS NOT NULL")
    for resolutions in ([5, 6], [7, 9], [8], None):
        layer = shapes_layer("polygon", resolutions=resolutions) if resolutions else plain
        publish(toy_province, layer)
        with toy_province.reading() as connection:
            assert connection.scalar(hexes_of) == bool(resolutions)
        if resolutions:
            assert hold(toy_province, layer) == 2
    desk = Desk(toy_province, plain, tmp_path, seed=1)
    desk.add()
    desk.delete()


def test_a_shape_of_too_many_hexes_is_refused_at_every_door(
    toy_province: Database, tmp_path: Path
) -> None:
    coarse, fine = shapes_layer("polygon"), shapes_layer("polygon", resolutions=[5, 10])
    large = shapely.box(103.95, 21.95, 104.35, 22.15)  # 900 km²
    path = write(tmp_path / "areas.geojson", {"large": large})
    assert load(toy_province, fine, path).reasons == {"bad_geometry": 1}
    (record,) = waiting(toy_province)
    assert "write coarser `hexes: {resolutions: …}`" in record.why
    with toy_province.writing() as connection, pytest.raises(BadRecord, match="more than 50000"):
        edit.add(connection, source_of(fine), Feature(large, {}, has_geometry=True), LOCAL_ADMIN)
    assert load(toy_province, coarse, path).added == 1
    with (
        toy_province.writing() as connection,
        pytest.raises(BadLayerFile, match=r"mz\.yaml: row 1: .* more than 50000"),
    ):
        sync(connection, Catalogue((fine,), {"mz": "1"}))
    assert hold(toy_province, coarse) == 1


def test_the_name_of_the_covers_is_no_layer(toy_province: Database) -> None:
    layer = shapes_layer("line")
    other = layer.model_copy(update={"id": "mz_hexes"})
    with toy_province.writing() as connection, pytest.raises(BadLayerFile, match="choose another"):
        sync(connection, Catalogue((layer, other), {"mz": "1", "mz_hexes": "1"}))
