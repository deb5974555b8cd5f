from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.definition.model import Layer
from layers.style.classification import (
    CLUSTERS,
    HEX_RAMP,
    Classification,
    ClassificationKind,
    FeatureClass,
    FeatureShape,
    classify,
    hex_classification,
)
from layers.style.legend import hex_legend, legend
from layers.style.maplibre import hex_style, hex_style_document, map_style, style_document
from tests.unit.layers.examples import CATALOGUE, a_class, wells
from tests.unit.layers.expressions import shows

URL = "http://localhost/tiles/{z}/{x}/{y}"
LAYERS = pytest.mark.parametrize("layer", CATALOGUE.layers, ids=lambda layer: layer.id)
COUNTED = pytest.mark.parametrize(
    "layer", [layer for layer in CATALOGUE.layers if layer.hexes], ids=lambda layer: layer.id
)
FILLS = ("circle-color", "fill-color")
SIZES = ("circle-radius", "line-width")


def samples(of: Classification) -> list[Any]:
    """A value inside each class, on each bound, and in no class at all."""
    inside = [
        one.value if of.kind is ClassificationKind.VALUES else one.lower for one in of.classes
    ]
    if of.kind is ClassificationKind.RANGES:
        inside += [(one.lower + one.upper) / 2 for one in of.classes[:-1]]
    if of.closed or of.other is None:
        return inside
    return [
        *inside,
        of.classes[0].lower - 1 if of.kind is ClassificationKind.RANGES else "nonsense",
        None,
    ]


def feature(of: Classification, value: Any) -> dict[str, Any]:
    """As it stands in a tile: without what is null."""
    return {} if value is None or of.field is None else {of.field: value}


def drawn(layers: list[dict[str, Any]], of: Classification, value: Any) -> tuple[Any, Any]:
    """The colour and size that the map gives to a feature; it is drawn in one class alone."""
    seen = [part for part in layers if shows(part.get("filter"), feature(of, value))]
    fills = FILLS if of.shape is not FeatureShape.LINE else ("line-color",)
    (colour,) = (one for part in seen for name in fills if (one := part["paint"].get(name)))
    (size,) = (one for part in seen for name in SIZES if (one := part["paint"].get(name)))
    return colour, size


def look(one: FeatureClass | None) -> tuple[str, float]:
    assert one is not None
    return one.colour, one.size_px


@LAYERS
def test_every_layer_is_drawn_as_its_legend_says(layer: Layer) -> None:
    of = classify(layer)
    entries = [(entry.colour, entry.size_px) for entry in legend(layer)]
    seen = {drawn(map_style(layer, URL), of, value) for value in samples(of)}
    assert seen == set(entries)


@COUNTED
def test_hexes_are_drawn_as_their_legend_says(layer: Layer) -> None:
    of = hex_classification(layer)
    seen = [drawn(hex_style(layer, URL), of, one.lower) for one in of.classes]
    assert seen == [(entry.colour, entry.size_px) for entry in hex_legend(layer)]


@LAYERS
def test_each_style_layer_of_a_class_bears_its_name_in_both_languages(layer: Layer) -> None:
    labels = [part["metadata"].get("gis:label") for part in map_style(layer, URL)]
    told = [one.label.model_dump() for one in classify(layer).drawn]
    assert [label for label in labels if label][: len(told)] == told


@LAYERS
def test_paints_are_plain_values_that_qgis_reads(layer: Layer) -> None:
    for part in map_style(layer, URL):
        assert not any(isinstance(value, list) for value in part["paint"].values())


@pytest.mark.parametrize("count", [1, 2, 9, 10, 5000])
def test_a_cluster_is_drawn_as_such_and_as_no_feature(count: int) -> None:
    layer = wells(style={"field": "dry", "classes": [a_class(0, value=True)]})
    seen = [part for part in map_style(layer, URL) if shows(part.get("filter"), {"count": count})]
    circle, number = seen
    assert circle["paint"]["circle-radius"] == look(CLUSTERS.class_of(count))[1]
    assert number["layout"]["text-field"] == ["to-string", ["get", "count"]]


def test_a_field_of_the_name_count_is_no_cluster() -> None:
    fields = {"count": {"type": "integer", "label": {"vi": "Số", "en": "Number"}}}
    parts = map_style(wells(fields=fields), URL)
    assert len(parts) == 1
    assert "filter" not in parts[0]


@LAYERS
def test_a_legend_speaks_both_languages(layer: Layer) -> None:
    vi, en = legend(layer, "vi"), legend(layer, "en")
    assert [entry.colour for entry in vi] == [entry.colour for entry in en]
    assert all(entry.label for entry in [*vi, *en])


@LAYERS
def test_a_style_document_names_the_sources_that_its_layers_use(layer: Layer) -> None:
    style = style_document(layer, URL)
    assert style["version"] == 8
    assert "glyphs" not in style
    assert {part["source"] for part in style["layers"]} == set(style["sources"])
    assert all(source["tiles"] == [URL] for source in style["sources"].values())
    ids = [part["id"] for part in style["layers"]]
    assert len(ids) == len(set(ids))


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=8, unique=True).map(sorted),
    st.floats(-1100, 1100) | st.none(),
)
def test_a_number_is_drawn_in_the_class_with_the_highest_bound_that_it_reaches(
    bounds: list[int], value: float | None
) -> None:
    classes = [a_class(n, at_least=bound) for n, bound in enumerate(bounds)]
    layer = wells(style={"field": "depth", "classes": classes})
    reached = [bound for bound in bounds if value is not None and value >= bound]
    of = classify(layer)
    expected = of.classes[len(reached) - 1] if reached else of.other
    assert of.class_of(value) == expected
    assert drawn(map_style(layer, URL), of, value) == look(expected)


@pytest.mark.parametrize("value", [True, False, None])
def test_a_boolean_is_drawn_by_its_value(value: bool | None) -> None:
    classes = [a_class(0, value=True), a_class(1, value=False)]
    layer = wells(style={"field": "dry", "classes": classes})
    of = classify(layer)
    expected = {True: of.classes[0], False: of.classes[1], None: of.other}[value]
    assert drawn(map_style(layer, URL), of, value) == look(expected)
    assert of.class_of(value) == expected


def test_a_number_of_one_is_not_true() -> None:
    layer = wells(style={"field": "pipes", "classes": [a_class(0, value=1)]})
    of = classify(layer)
    assert of.class_of(True) == of.other
    assert of.class_of(1) == of.classes[0]
    assert drawn(map_style(layer, URL), of, 1) == look(of.classes[0])
    assert drawn(map_style(layer, URL), of, True) == look(of.other)


def test_a_layer_without_classes_has_one_look_and_one_line_of_legend() -> None:
    layer = wells(style={"colour": "#123456"})
    assert [entry.label for entry in legend(layer)] == ["Giếng"]
    assert map_style(layer, URL)[0]["paint"]["circle-color"] == "#123456"


def test_the_legend_has_no_other_class_where_every_value_has_its_own() -> None:
    fields = wells().model_dump(mode="json")["fields"]
    classes = [a_class(0, value="good"), a_class(1, value="bad")]
    open_ = wells(style={"field": "water", "classes": classes})
    fields["water"]["required"] = True
    closed = wells(style={"field": "water", "classes": classes}, fields=fields)
    assert len(legend(open_)) == 3
    assert len(legend(closed)) == 2


@pytest.mark.parametrize("name", ["hotspots", "emerging", "clusters", "local_moran", "alerts"])
def test_legends_of_the_analysis_have_no_other_class(name: str) -> None:
    assert "Khác" not in [entry.label for entry in legend(CATALOGUE.get(name))]


def test_the_legend_of_numbers_from_zero_on_has_no_other_class_where_all_have_one() -> None:
    fields = wells().model_dump(mode="json")["fields"]
    fields["depth"]["required"] = True
    from_zero, from_ten = (
        wells(style={"field": "depth", "classes": [a_class(0, at_least=least)]}, fields=fields)
        for least in (0, 10)
    )
    assert (len(legend(from_zero)), len(legend(from_ten))) == (1, 2)


def test_a_feature_that_should_not_be_is_drawn_nevertheless() -> None:
    fields = wells().model_dump(mode="json")["fields"]
    fields["dry"]["required"] = True
    classes = [a_class(0, value=True), a_class(1, value=False)]
    layer = wells(style={"field": "dry", "classes": classes, "size_px": 9}, fields=fields)
    assert drawn(map_style(layer, URL), classify(layer), None) == ("#1f6f8b", 9)


def test_labels_need_no_glyphs_and_name_their_field() -> None:
    style = map_style(wells(style={"text": "water"}), URL)
    text = next(part for part in style if part["id"] == "wells-text")
    assert text["type"] == "symbol"
    assert text["layout"]["text-field"] == ["to-string", ["get", "water"]]
    assert "text-font" not in text["layout"]


@given(st.integers(1, 400))
def test_hex_classes_begin_at_the_least_count_that_is_shown(least: int) -> None:
    of = hex_classification(wells(hexes={}), min_count=least)
    assert of.classes[0].lower == least
    lowers = [one.lower for one in of.classes]
    assert lowers == sorted(set(lowers))
    assert [one.upper for one in of.classes[:-1]] == lowers[1:]


def test_the_layers_own_least_count_goes_before_the_setting() -> None:
    of = hex_classification(wells(hexes={"min_count": 2}), min_count=5)
    assert of.classes[0].lower == 2


def test_the_ramp_of_hexes_darkens_with_every_class() -> None:
    """Lightness alone tells the classes apart, for those who see no colours."""
    assert [round(lightness(colour)) for colour in HEX_RAMP] == sorted(
        {round(lightness(colour)) for colour in HEX_RAMP}, reverse=True
    )


def lightness(colour: str) -> float:
    """CIE L*, 0–100, of an sRGB colour (IEC 61966-2-1)."""
    linear = [_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5)]
    y = sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
    return float(116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y)


def _linear(part: float) -> float:
    return float(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)


def test_a_document_of_hexes_carries_the_attribution() -> None:
    layer = wells(hexes={}, attribution="Somebody")
    sources = hex_style_document(layer, URL)["sources"]
    assert {source["attribution"] for source in sources.values()} == {"Somebody"}
