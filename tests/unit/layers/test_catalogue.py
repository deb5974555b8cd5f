import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.access import ANONYMOUS, LOCAL_ADMIN, Principal, Role
from gis.errors import BadLayerFile, NotFound
from layers.definition.catalogue import Catalogue, read_catalogue, read_layer, read_layer_file
from layers.definition.model import Layer
from layers.definition.yaml_document import (
    BrokenYaml,
    _children,
    _document,
    _FastLoader,
    _Loader,
    parse_yaml,
)
from tests.unit.layers.examples import CATALOGUE, LAYERS, wells, wells_words

SOUND = """\
id: wells
title: {vi: Giếng, en: Wells}
description: {vi: Giếng khoan, en: Bored wells}
department: {vi: Sở, en: Department}
licence: CC0-1.0
geometry: point
source:
  connector: file
  key: number
fields:
  depth: {type: number, unit: m, label: {vi: Độ sâu, en: Depth}}
  water:
    type: text
    label: {vi: Nước, en: Water}
    values:
      good: {vi: Tốt, en: Good}
  owner: {type: text, label: {vi: Chủ, en: Owner}, personal: true}
"""


def fault_of(folder: Path, text: str | bytes, name: str = "wells.yaml") -> str:
    """What is said of a file with this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadLayerFile) as error:
        read_layer(path)
    return str(error.value)


@pytest.mark.parametrize("path", sorted(LAYERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_layer_of_the_project_is_sound(path: Path) -> None:
    assert read_layer_file(path).id == path.stem


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "wells.yaml").write_text(SOUND)
    assert list(read_layer(tmp_path / "wells.yaml").public_fields) == ["depth", "water"]


def traps(name: str) -> dict[str, dict[str, str]]:
    """Faults by the name of their trap."""
    read = yaml.safe_load((Path(__file__).parent / name).read_text())
    return {trap: dict(words) for trap, words in read.items()}


FAULTS = traps("faults.yaml")
CLASS_FAULTS = traps("class_faults.yaml")


@pytest.mark.parametrize("trap", FAULTS)
def test_a_fault_is_reported_with_its_line_and_the_right_word(tmp_path: Path, trap: str) -> None:
    fault = FAULTS[trap]
    assert fault["of"] in SOUND
    assert fault["told"] in fault_of(tmp_path, SOUND.replace(fault["of"], fault["to"], 1))


LABEL = "{vi: Lớp, en: Class}"


@pytest.mark.parametrize("trap", CLASS_FAULTS)
def test_classes_must_fit_their_field(tmp_path: Path, trap: str) -> None:
    fault = CLASS_FAULTS[trap]
    classes = fault["classes"].replace("%s", LABEL)
    style = f"style: {{field: {fault['field']}, classes: [{classes}]}}\n"
    assert f"wells.yaml:18: {fault['told']}" in fault_of(tmp_path, SOUND + style)


def test_classes_need_a_field(tmp_path: Path) -> None:
    style = f'style: {{classes: [{{value: good, colour: "#000000", label: {LABEL}}}]}}\n'
    assert "`classes` need `field`" in fault_of(tmp_path, SOUND + style)


def test_all_faults_of_a_file_are_reported_at_once_in_the_order_of_their_lines(
    tmp_path: Path,
) -> None:
    text = SOUND.replace("licence", "license").replace("unit: m", "unit: m, colour: red")
    lines = fault_of(tmp_path, text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "5", "11"]


def test_all_faults_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: a\n")
    (tmp_path / "b.yaml").write_text("id: [\n")
    (tmp_path / "c.yml").write_text("id: c\n")
    with pytest.raises(BadLayerFile) as error:
        read_catalogue(tmp_path)
    told = str(error.value)
    assert "a.yaml:1: `title` is missing" in told
    assert "b.yaml:2: this is not YAML" in told
    assert "c.yml: rename it to c.yaml" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "wells.yaml:1: the file is empty: a layer begins with `id: wells`"),
        (b"- a\n- b\n", "wells.yaml:1: the file holds no words"),
        (b"title: S\xe1 \xa7\xe5", "the file is not UTF-8"),
        (b"id: a\x00b\n", "the character U+0000 may not stand in YAML"),
        (b"id: &a [*a]\n", "an alias (`*`) may not hold itself"),
        (b"[" * 5000, "the file is nested far too deeply for a layer"),
        (b"id: *nobody\n", "wells.yaml:1: this is not YAML: found undefined alias"),
        (b"id: !!python/object:os.system x\n", "could not determine a constructor"),
    ],
)
def test_what_is_no_layer_file_at_all_is_reported(
    tmp_path: Path, content: bytes, told: str
) -> None:
    assert told in fault_of(tmp_path, content)


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadLayerFile, match="GIS_LAYERS"):
        read_catalogue(tmp_path / "nowhere")


def test_words_of_yaml_1_1_are_plain_texts() -> None:
    data = parse_yaml("a: no\nb: 12:30\nc: 2024-01-05\nd: 010\ne: 1_000\nf: on\ng: true").data
    assert list(data.values()) == ["no", "12:30", "2024-01-05", 10, "1_000", "on", True]


def test_what_stands_before_a_colon_is_a_text() -> None:
    data = parse_yaml("1: a\ntrue: b\n~: c\n<<: {d: e}").data
    assert data == {"1": "a", "true": "b", "~": "c", "d": "e"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text("aĐ#: -'\"\n"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
        max_leaves=12,
    )
)
def test_what_a_yaml_writer_writes_is_read_back(data: Any) -> None:
    assert parse_yaml(yaml.safe_dump(data, allow_unicode=True)).data == data


PIECES = ["a", "b", ": ", ":", "\n", "\n  ", "\n- ", "- ", "[", "]", "{", "}", ",", "'", '"']
PIECES += ["|", ">-", "#", " #", "&a ", "*a", "!x", "<<", "~", "7", "đ", "\t", "? ", "%", "---\n"]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_the_two_parsers_read_the_same_words_on_the_same_lines(text: str) -> None:
    try:
        slow = _document(_Loader(text))
        fast = _document(_FastLoader(text))
    except (BrokenYaml, yaml.YAMLError, ValueError):
        return
    assert fast.data == slow.data
    assert lines_of(fast.root) == lines_of(slow.root)


def lines_of(node: yaml.Node | None) -> list[int]:
    """The line of a node and, in their order, of all below it; what is empty stands nowhere."""
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return []
    below = (line for child in _children(node) for line in lines_of(child))
    return [node.start_mark.line, *below]


@given(st.text(max_size=60))
def test_any_text_is_a_document_or_a_reported_fault(text: str) -> None:
    try:
        parse_yaml(text)
    except BrokenYaml as error:
        assert all(1 <= fault.line <= text.count("\n") + 2 for fault in error.faults)


def broken(words: Any) -> Iterator[Any]:
    """The words with one of them misspelt, each once."""
    for key in words:
        yield {(f"{key}x" if other == key else other): words[other] for other in words}
        if isinstance(words[key], dict):
            yield from ({**words, key: inner} for inner in broken(words[key]))


def test_no_word_of_a_file_can_be_misspelt_unnoticed_but_names_of_fields_and_values(
    tmp_path: Path,
) -> None:
    words, path = wells_words(), tmp_path / "wells.yaml"
    silent = 0
    for wrong in broken(words):
        path.write_text(yaml.safe_dump(wrong, sort_keys=False))
        try:
            read_layer(path)
            silent += 1
        except BadLayerFile as error:
            assert str(error).startswith("wells.yaml:")
    assert silent == len(words["fields"]) + len(words["fields"]["water"]["values"])


def secret(layer_id: str, **words: Any) -> Layer:
    return wells(id=layer_id, access={"read": "department"}, **words)


def test_an_unknown_layer_is_answered_with_names_near_to_it() -> None:
    with pytest.raises(NotFound, match=r"no layer citizen_report; did you mean citizen_reports\?"):
        CATALOGUE.get("citizen_report")
    assert CATALOGUE.get("landslides").id == "landslides"


def test_a_closed_layer_is_answered_word_for_word_like_none():
    open_to_all, closed = wells(), secret("well")
    there, not_there = Catalogue((closed, open_to_all)), Catalogue((open_to_all,))
    with pytest.raises(NotFound) as hidden:
        there.get_readable("well", ANONYMOUS)
    with pytest.raises(NotFound) as missing:
        not_there.get_readable("well", ANONYMOUS)
    assert str(hidden.value) == str(missing.value)
    assert "did you mean wells" in str(missing.value)
    assert there.get_readable("well", LOCAL_ADMIN) is closed


def test_names_that_not_all_may_know_are_not_suggested() -> None:
    with pytest.raises(NotFound, match=r"no layer secre$"):
        Catalogue((secret("secret"),)).get("secre")


def test_layers_are_readable_by_their_audience() -> None:
    catalogue = Catalogue((wells(), secret("secret"), secret("other")))
    desk = Principal("desk", Role.DEPARTMENT, frozenset({"secret"}))
    assert [layer.id for layer in catalogue.readable(ANONYMOUS)] == ["wells"]
    assert [layer.id for layer in catalogue.readable(desk)] == ["wells", "secret"]
    assert len(catalogue.readable(LOCAL_ADMIN)) == 3


@pytest.mark.parametrize(
    ("exposure", "told"),
    [
        ("wels", "there is no layer `wels`; did you mean `wells`?"),
        ("communes", "the layer communes has no placed points"),
        ("secret", "the layer secret is not public, and this map would tell of it"),
    ],
)
@pytest.mark.parametrize("read", ["public", "department"])
def test_what_a_layer_is_exposed_to_has_points_and_is_no_secret(
    tmp_path: Path, exposure: str, told: str, read: str
) -> None:
    (tmp_path / "communes.yaml").write_bytes((LAYERS / "communes.yaml").read_bytes())
    secret_words = wells_words(id="secret", access={"read": "department"})
    words = wells_words(
        access={"read": read},
        source={"connector": "file", "key": "number", "time": {"column": "day"}},
        hotspots={"exposure": exposure},
    )
    (tmp_path / "secret.yaml").write_text(yaml.safe_dump(secret_words))
    (tmp_path / "wells.yaml").write_text(yaml.safe_dump(words))
    with pytest.raises(BadLayerFile) as raised:
        read_catalogue(tmp_path)
    assert str(raised.value) == f"wells.yaml: `exposure`: {told}"


@pytest.mark.parametrize("field", ["visitors", "owner"])
def test_what_is_added_up_of_an_exposure_is_a_public_number(tmp_path: Path, field: str) -> None:
    words = wells_words(
        source={"connector": "file", "key": "number", "time": {"column": "day"}},
        hotspots={"exposure": "wells", "exposure_field": field},
    )
    (tmp_path / "wells.yaml").write_text(yaml.safe_dump(words))
    with pytest.raises(BadLayerFile) as raised:
        read_catalogue(tmp_path)
    told = f"wells.yaml: `exposure_field`: wells has no public number `{field}`"
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("wels", "there is no layer `wels`; did you mean `wells`?"),
        ("wells", "wells is no other layer with placed records"),
        ("communes", "communes is no other layer with placed records"),
        ("secret", "the layer secret is not public, and these alerts would tell of it"),
    ],
)
def test_layers_that_are_judged_together_have_places_and_are_no_secret(
    tmp_path: Path, named: str, told: str
) -> None:
    (tmp_path / "communes.yaml").write_bytes((LAYERS / "communes.yaml").read_bytes())
    secret_words = wells_words(id="secret", access={"read": "department"})
    words = wells_words(
        source={"connector": "file", "key": "number", "time": {"column": "day"}},
        hotspots={"joint": {"layers": [named]}},
    )
    (tmp_path / "secret.yaml").write_text(yaml.safe_dump(secret_words))
    (tmp_path / "wells.yaml").write_text(yaml.safe_dump(words))
    with pytest.raises(BadLayerFile) as raised:
        read_catalogue(tmp_path)
    assert str(raised.value) == f"wells.yaml: `joint`: {told}"


def test_the_digest_of_a_layer_is_that_of_its_file() -> None:
    layer = CATALOGUE.get("communes")
    content = (LAYERS / "communes.yaml").read_bytes()
    assert CATALOGUE.digest_of(layer) == hashlib.sha256(content).hexdigest()


def test_a_layer_without_a_file_has_the_digest_of_its_content() -> None:
    catalogue = Catalogue((wells(), wells(id="more")))
    first, second = (catalogue.digest_of(layer) for layer in catalogue.layers)
    assert first != second
    assert len(first) == 64


RASTER = (LAYERS / "rain_daily.yaml").read_text()


@pytest.mark.parametrize(
    ("given", "instead", "words"),
    [
        ("unit: mm", "units: mm", "unknown word `units`; did you mean `unit`?"),
        ("quantity: measure", "quantity: mean", "`quantity` cannot be `mean`"),
        ("unit: mm\n", "", "`unit` is missing: a measure or total has one"),
        ("day_boundary: \"19:00\"", "day_boundary: \"7pm\"", "`day_boundary`"),
        ("step_hours", "step_days", "unknown word `step_days` under `time`"),
        ("least: 0", "least: 2000", "`least` is below `most`"),
        ("at_least: 16,", "at_least: 0.1,", "`at_least` rises from class to class"),
        ("at_least: 16,", "value: 16,", "all by `value`, or all by `at_least`"),
        ("max_zoom: 12", "max_zoom: 12, hillshade: true", "`hillshade` is of heights"),
        ("quantity: measure", "quantity: class", "classes by `value`"),
    ],
)  # fmt: skip
def test_a_fault_of_a_raster_file_is_named_with_the_right_word(
    tmp_path: Path, given: str, instead: str, words: str
) -> None:
    assert given in RASTER
    path = tmp_path / "rain_daily.yaml"
    path.write_text(RASTER.replace(given, instead, 1))
    with pytest.raises(BadLayerFile) as error:
        read_layer_file(path)
    assert "rain_daily.yaml:" in str(error.value) and words in str(error.value)


def test_a_catalogue_keeps_raster_layers_apart() -> None:
    catalogue = read_catalogue(LAYERS)
    assert {"elevation", "rain_daily"} <= {layer.id for layer in catalogue.rasters}
    assert not {layer.id for layer in catalogue.rasters} & {layer.id for layer in catalogue.layers}
    assert catalogue.digest_of(catalogue.raster("elevation")) == catalogue.digests["elevation"]
    with pytest.raises(NotFound, match="did you mean `elevation`"):
        catalogue.raster("elevations")
