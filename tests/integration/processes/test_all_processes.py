"""What holds of every process: its examples run, its documents are whole, its page is true."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import h3
import pytest
import typer.testing
from sqlalchemy import text

from api.cli import command_line
from api.cli.process import read_inputs
from api.ogc.processes_documents import inputs_of
from gis.access import ANONYMOUS, LOCAL_ADMIN
from gis.database.engine import Database
from gis.errors import BadInput, GisError
from gis.rasters.demo import add_demo
from gis.settings import ROOT
from layers.definition.catalogue import Catalogue
from layers.definition.checks import findings
from layers.definition.model import GeometryKind
from layers.processes.description import command_of, parameter_rows
from layers.processes.execution import as_inputs, process_of, read_parameters
from layers.processes.operations import PROCESSES
from layers.processes.process import LayerInput
from layers.style.legend import legend
from layers.style.maplibre import style_document
from tests.databases import Server, template
from tests.integration.page_modules import registry_with
from tests.integration.processes.conftest import execute
from tests.integration.raster_desk import AREA, adding

EXAMPLES = [(name, number) for name, process in PROCESSES.items()
            for number in range(len(process.examples))]  # fmt: skip
HOW_TO = (ROOT / "docs" / "how-to" / "add-a-process.md").read_text(encoding="utf-8")
MODULE, IMPORT = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)
(ENTRY,) = re.findall(r"```text\n(.*?)```", HOW_TO, re.DOTALL)
PACKAGE = ROOT / "layers" / "processes" / "operations"

_POINT = (
    "ST_SetSRID(ST_MakePoint(104 + (i * 7919 % 300) / 1000.0,"
    " 22 + (i * 104729 % 100) / 1000.0), 4326)"
)
FILL = f"""
INSERT INTO layer.citizen_reports (geom, commune, category, status, valid_at, source, source_key)
SELECT {_POINT}, (ARRAY['00001', '00004', '00007'])[1 + i * 7919 % 300 / 100],
  (ARRAY['traffic', 'environment'])[1 + i % 2], 'received',
  now() - i * interval '7 hours', 'test', i::text FROM generate_series(1, 300) AS i;
INSERT INTO layer.landslides (geom, commune, valid_at, source, source_key)
SELECT {_POINT}, '00001', now() - i * interval '30 days', 'test', i::text
FROM generate_series(3, 12) AS i;
INSERT INTO gis.admin_unit
  (code, name, full_name, kind, level, valid_to, parent_code, source, quality)
SELECT code, code, 'Phường ' || code, 'Phường', 'commune', '2025-07-01', '080', 'test', 'official'
FROM unnest(ARRAY['02635', '02644']) AS code;
INSERT INTO gis.admin_change (old_unit, new_unit, changed_on, share_area, share_population, source)
SELECT o.id, n.id, '2025-07-01', 1, 1, 'test' FROM gis.admin_unit o, gis.admin_unit n
WHERE o.parent_code = '080' AND n.code = '00001' AND n.level = 'commune';
INSERT INTO gis.population_source (source, year, quality, people)
VALUES ('test', 2025, 'approximate', 300)
"""


@pytest.fixture(scope="module")
def rasters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's rasters, which `filled_template` tells of."""
    return tmp_path_factory.mktemp("rasters")


@pytest.fixture(scope="module")
def filled_template(
    postgres: Server, toy_template: str, catalogue: Catalogue, rasters: Path
) -> Iterator[str]:
    with template(postgres, toy_template) as (name, database):
        with TemporaryDirectory() as made:
            add_demo(AREA, date(2024, 9, 12), Path(made), adding(database, catalogue, rasters))
        with database.writing() as connection:
            for statement in FILL.split(";\n"):
                connection.exec_driver_sql(statement.replace("%", "%%"))
            for row in connection.execute(_PLACES).all():
                cell = int(h3.latlng_to_cell(row.y, row.x, 11), 16)
                connection.execute(_SET_CELL, {"id": row.id, "cell": cell})
                for resolution in (8, 9):
                    people = int(h3.latlng_to_cell(row.y, row.x, resolution), 16)
                    connection.execute(_ADD_PERSON, {"cell": people})
        database.close()
        yield name


_PLACES = text("SELECT id, ST_X(geom) AS x, ST_Y(geom) AS y FROM layer.citizen_reports")
_ADD_PERSON = text(
    "INSERT INTO gis.population VALUES (:cell, 1)"
    " ON CONFLICT (cell) DO UPDATE SET people = population.people + 1"
)
_SET_CELL = text("UPDATE layer.citizen_reports SET h3 = :cell WHERE id = :id")


@pytest.fixture(scope="module")
def filled(postgres: Server, filled_template: str) -> Iterator[Database]:
    """The layers of the project with some reports and landslides over three communes."""
    with postgres.opened(filled_template) as database:
        yield database


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_an_example_runs_and_makes_a_sound_layer(filled, catalogue, rasters, name, number):
    process = process_of(name)
    if process.outputs is not None:
        return
    made = execute(filled, name, ANONYMOUS, catalogue, rasters, **process.examples[number])
    assert made.items or name == "hotspots", "an example shows something"
    layer = made.layer
    assert [fault for fault in findings(layer) if fault[0][0] != "source"] == []
    assert made.summary["items"] == len(made.items)
    assert layer.access.write == "nobody"
    for item in made.items:
        assert (item["geom"] is None) == (layer.geometry is GeometryKind.NONE)
        assert item["geom"] is None or (item["geom"].is_valid and not item["geom"].is_empty)
    if layer.geometry is not GeometryKind.NONE:
        assert style_document(layer, "/x/{z}/{x}/{y}.mvt")["layers"]
        assert legend(layer, "vi")
    assert made.run.inputs == as_inputs(read_parameters(process, process.examples[number]))
    again = execute(filled, name, LOCAL_ADMIN, catalogue, rasters, **made.run.inputs)
    assert [item["geom"] for item in again.items] == [item["geom"] for item in made.items]


@pytest.mark.parametrize("name", list(PROCESSES))
def test_its_parameters_are_described_in_two_languages(name):
    process = process_of(name)
    assert process.examples
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    for row in parameter_rows(process):
        assert row["vi"] and row["en"] and row["takes"], row
    for language in ("vi", "en"):
        for given in inputs_of(process, language).values():
            assert given["title"]
    for example in process.examples:
        line = command_of(name, example).split(maxsplit=4)
        assert line[:4] == ["gis", "process", "run", name]


@pytest.mark.parametrize("name", list(PROCESSES))
def test_what_it_does_not_know_is_refused(filled, catalogue, rasters, name):
    process = process_of(name)
    with pytest.raises(BadInput, match="no_such"):
        read_parameters(process, {**process.examples[0], "no_such": 1})
    layers = [field for field, model in process.parameters.model_fields.items()
              if model.annotation is LayerInput]  # fmt: skip
    for field in layers:
        for wrong, what in (
            ("no_such_layer", "there is no layer"),
            ({"layer": "communes", "filter": "no_such = 1"}, "no_such|needs|has|give|cannot"),
            ({"layer": "communes", "filter": "((("}, "filter|CQL2|wrong|give|cannot"),
            ({"layer": "communes", "datetime": "yesterday"}, "datetime|time|give|cannot"),
        ):
            with pytest.raises(GisError, match=what):
                execute(filled, name, ANONYMOUS, catalogue, rasters,
                        **{**process.examples[0], field: wrong})  # fmt: skip


def test_inputs_of_a_command_line():
    words = ["layer=spots", "layer.filter=a = 1", "k=2", 'area={"type": "Point"}', "x=a=b"]
    layer = {"layer": "spots", "filter": "a = 1"}
    assert read_inputs(words) == {"layer": layer, "k": 2, "area": {"type": "Point"}, "x": "a=b"}
    with pytest.raises(BadInput, match="write name=value"):
        read_inputs(["spots"])


def test_the_commands(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("GIS_DATABASE_URL", filled.url)
    monkeypatch.setenv("GIS_HOME", str(tmp_path))

    def run(*words: str) -> str:
        done = typer.testing.CliRunner().invoke(
            command_line(), ["process", *words], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.output

    assert all(name in run("list") for name in PROCESSES)
    assert "distance_m" in run("show", "buffer")
    output = run("run", "buffer", "layer=landslides", "distance_m=100")
    collection = re.search(r"result_[0-9a-f]{32}", output)[0]
    assert collection.removeprefix("result_")[:8] in run("results").replace("-", "")
    assert "is kept" in run("keep", collection)
    assert "kept" in run("results")
    assert "is removed" in run("remove", collection)
    with pytest.raises(GisError, match="there is no job"):
        run("remove", collection)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry with the lines of the page, and the module of the page beside the others."""
    names = registry_with(monkeypatch, tmp_path, PACKAGE, "layers.processes.operations.extent",
                          MODULE, IMPORT, ENTRY)  # fmt: skip
    monkeypatch.setitem(PROCESSES, "extent", names["PROCESSES"]["extent"])


@pytest.mark.usefixtures("added")
def test_a_process_is_added_as_the_how_to_says(
    filled: Database, catalogue: Catalogue, rasters: Path
):
    made = execute(filled, "extent", ANONYMOUS, catalogue, layer="communes")
    (one,) = made.items
    assert one["geom"].bounds == pytest.approx((104, 22, 104.3, 22.1))
    assert (made.summary["items"], made.summary["of_items"]) == (1, 3)
    test_its_parameters_are_described_in_two_languages("extent")
    test_what_it_does_not_know_is_refused(filled, catalogue, rasters, "extent")
    test_an_example_runs_and_makes_a_sound_layer(filled, catalogue, rasters, "extent", 0)
