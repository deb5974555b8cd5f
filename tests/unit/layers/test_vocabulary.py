from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from layers.definition import model, raster
from layers.definition.catalogue import read_layer
from layers.definition.reference import layer_file_page, layer_schema, layer_schema_text
from layers.definition.yaml_document import BrokenYaml, parse_yaml
from tests.unit.layers.examples import LAYERS
from tests.unit.layers.test_catalogue import FAULTS, SOUND

DOCS = Path(__file__).parents[3] / "docs"
MODELS = [
    kind
    for module in (model, raster)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, model.Strict) and kind is not model.Strict
]
# Faults that only the whole file, the file's name or the database can know.
BETWEEN_WORDS = ("there is no field", "is personal", "are of a text", "is of a number",
                 "strptime", "no form of a number", "no CRS", "is above", "count placed",
                 "need `source.time`", "need `hotspots`", "`id` is", "taken by columns",
                 "a unit is of", "stands twice", "name of a detector",
                 "without an hour", "kept apart by",
                 "a mean is of", "is one of `resolutions`", "is free",
                 "are added up", "are received at", "`latest` needs",
                 "nothing escalates", "names are in a text", "is no number")  # fmt: skip


def as_json(data: Any) -> Any:
    """YAML's keys as JSON has them: texts."""
    if isinstance(data, dict):
        return {str(key): as_json(value) for key, value in data.items()}
    return [as_json(one) for one in data] if isinstance(data, list) else data


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    parts = page.split("```")[1::2]
    return [part.partition("\n")[2] for part in parts if part.partition("\n")[0] == language]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = layer_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_for_editors_is_of_today() -> None:
    stored = (DOCS / "reference/layer-file.schema.json").read_text()
    assert stored == layer_schema_text(), "run `make docs`"


def test_the_reference_page_is_of_today() -> None:
    assert (DOCS / "reference/layer-file.md").read_text() == layer_file_page(), "run `make docs`"


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_every_word_is_described(kind: type[BaseModel]) -> None:
    assert kind.__doc__
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


def test_the_page_has_a_row_for_every_word() -> None:
    page = layer_file_page()
    for kind in MODELS:
        for word in kind.model_fields:
            assert f"`{word}`" in page, f"{kind.__name__}.{word}"


@pytest.mark.parametrize("path", sorted(LAYERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_editors_accept_every_layer_of_the_project(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(as_json(parse_yaml(path.read_text()).data))


@pytest.mark.parametrize("trap", FAULTS)
def test_editors_see_the_faults_of_single_words(
    trap: str, validator: jsonschema.Draft202012Validator
) -> None:
    fault = FAULTS[trap]
    try:
        data = parse_yaml(SOUND.replace(fault["of"], fault["to"], 1)).data
    except BrokenYaml:
        return
    seen = not validator.is_valid(as_json(data))
    assert seen != any(words in fault["told"] for words in BETWEEN_WORDS)


HOW_TO = (DOCS / "how-to/add-a-layer.md").read_text()


def test_the_layer_of_the_how_to_is_sound(tmp_path: Path) -> None:
    (tmp_path / "wells.yaml").write_text(blocks(HOW_TO, "yaml")[0])
    layer = read_layer(tmp_path / "wells.yaml")
    header = blocks(HOW_TO, "csv")[0].splitlines()[0].split(";")
    columns = {field.column for field in layer.fields.values()}
    assert columns <= set(header)
    assert isinstance(layer.source, model.FileSource)
    assert layer.source.coordinates
    assert {layer.source.coordinates.x, layer.source.coordinates.y} <= set(header)


def test_the_fault_of_the_how_to_is_reported_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "wells.yaml"
    path.write_text(blocks(HOW_TO, "yaml")[0].replace("unit: m", "units: m"))
    with pytest.raises(Exception) as error:
        read_layer(path)
    assert str(error.value) in HOW_TO
