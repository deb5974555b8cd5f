"""docs/how-to/add-a-method.md, word for word: a module, a line of the registry, a section."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import BadLayerFile, Conflict
from gis.settings import ROOT
from layers.definition.catalogue import Catalogue, read_layer
from layers.definition.model import Layer
from layers.definition.reference import layer_schema
from layers.detect import METHODS, methods_of, repeat_run, run_method
from layers.detect.redaction import redact_runs_of_field
from layers.detect.runs import list_runs
from layers.jobs.detection import due_runs
from tests.integration.page_modules import registry_with
from tests.integration.test_hotspots import LAYER, NOW, cluster, noise, report

PAGE = (ROOT / "docs" / "how-to" / "add-a-method.md").read_text(encoding="utf-8")
MODULE, IMPORT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(ENTRY,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
(SECTION,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PACKAGE = ROOT / "layers" / "detect" / "methods"
NAME = "busy_hexes"


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The registry with the lines of the page, and the module of the page beside the others."""
    names = registry_with(monkeypatch, tmp_path, PACKAGE, f"layers.detect.methods.{NAME}",
                          MODULE, IMPORT, ENTRY)  # fmt: skip
    monkeypatch.setitem(METHODS, NAME, names["METHODS"][NAME])
    yield


def layer_with(section: str, tmp_path: Path) -> Layer:
    """The layer of citizen reports, with more words in its section `hotspots`."""
    words = yaml.safe_load((ROOT / "layers" / f"{LAYER}.yaml").read_text(encoding="utf-8"))
    words["hotspots"] |= yaml.safe_load(section)["hotspots"]
    path = tmp_path / f"{LAYER}.yaml"
    path.write_text(yaml.safe_dump(words, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return read_layer(path)


@pytest.mark.usefixtures("registered")
def test_a_method_is_added_as_the_how_to_says(toy_province: Database, tmp_path: Path) -> None:
    layer = layer_with(SECTION, tmp_path)
    assert methods_of(layer)[-1] == NAME
    report(toy_province, noise())
    report(toy_province, cluster(n=60), sources=60)

    made = run_method(toy_province, layer, NAME, NOW)

    assert made.found > 0
    with toy_province.reading() as connection:
        results = connection.execute(text("SELECT * FROM gis.hex_result ORDER BY cell")).all()
        (listed,) = list_runs(connection, LAYER, 9)
    assert len(results) == made.found
    assert all(row.result["count"] > 10 and row.run_id == made.run_id for row in results)
    assert results[0].explanation_en == f"{results[0].result['count']} records in 7 days"
    assert (listed["method"], listed["found"]) == (NAME, made.found)
    repeated = repeat_run(toy_province, made.run_id)
    assert (repeated.equal, repeated.compared) == (True, made.found)
    due = {one.method for one in due_runs(toy_province, Catalogue((layer,), {}, ()), NOW)}
    assert due == set(methods_of(layer)) - {NAME}
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.hex_result SET result = '{\"count\": 1}'"))
    assert repeat_run(toy_province, made.run_id).differences

    with toy_province.writing() as connection:
        redact_runs_of_field(connection, LAYER, "category")
        assert connection.scalar(text("SELECT count(*) FROM gis.hex_result")) == 0


@pytest.mark.usefixtures("registered")
def test_its_section_is_checked_and_described_as_any_other(tmp_path: Path) -> None:
    with pytest.raises(BadLayerFile, match=r"unknown word `more_then`.*did you mean `more_than`"):
        layer_with("hotspots: {busy_hexes: {more_then: 10}}", tmp_path)
    with pytest.raises(BadLayerFile, match="`more_than` is missing"):
        layer_with("hotspots: {busy_hexes: {}}", tmp_path)
    with pytest.raises(BadLayerFile, match="did you mean `busy_hexes`"):
        layer_with("hotspots: {busy_hexs: {more_than: 10}}", tmp_path)
    parts = layer_schema()["$defs"]
    assert NAME in parts["HotspotOptions"]["properties"]
    assert parts["BusyHexOptions"]["required"] == ["more_than"]


def test_without_it_the_section_is_an_unknown_word(tmp_path: Path) -> None:
    with pytest.raises(BadLayerFile, match="unknown word `busy_hexes`"):
        layer_with(SECTION, tmp_path)


def test_a_run_of_a_method_that_was_removed_is_listed_and_not_repeated(
    toy_province: Database, tmp_path: Path, registered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(toy_province, cluster())
    made = run_method(toy_province, layer_with(SECTION, tmp_path), NAME, NOW + timedelta(hours=1))
    monkeypatch.delitem(METHODS, NAME)
    with toy_province.reading() as connection:
        assert list_runs(connection, LAYER, 1)[0]["found"] is None
    with pytest.raises(Conflict, match="no method busy_hexes any more"):
        repeat_run(toy_province, made.run_id)
