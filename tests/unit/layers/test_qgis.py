"""What QGIS itself makes of our style files; its Python is that of the system, not ours."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from layers.definition.model import GeometryKind, Layer
from layers.style.classification import ClassificationKind, classify
from layers.style.maplibre import style_document
from layers.style.qml import qml
from tests.unit.layers.examples import CATALOGUE, a_class, wells
from tests.unit.layers.test_style import samples

# Loads each style onto an empty layer and asks which symbol each value gets.
IN_QGIS = """
import json, sys
from qgis.PyQt.QtCore import QVariant
from qgis.core import (QgsApplication, QgsExpression, QgsExpressionContext,
                       QgsExpressionContextUtils, QgsFeature, QgsField, QgsFields,
                       QgsMapBoxGlStyleConversionContext, QgsMapBoxGlStyleConverter,
                       QgsRenderContext, QgsVectorLayer)

def in_tiles(job):
    # As QgsVectorTileLayer does: the attributes that the style asks for, as texts.
    converter = QgsMapBoxGlStyleConverter()
    converter.convert(job["style"], QgsMapBoxGlStyleConversionContext())
    fields = QgsFields()
    filters = [QgsExpression(style.filterExpression()) for style in converter.renderer().styles()]
    for name in set().union(*(one.referencedColumns() for one in filters)):
        fields.append(QgsField(name, QVariant.String))
    shown = []
    for value in job["values"]:
        feature = QgsFeature(fields)
        feature.setValid(True)
        if fields.indexOf(job["field"]) >= 0:
            feature[job["field"]] = value
        context = QgsExpressionContext()
        context.setFields(fields)
        context.setFeature(feature)
        shown.append([
            style.symbol().color().name() for style in converter.renderer().styles()
            if not style.filterExpression()
            or QgsExpression(style.filterExpression()).evaluate(context)])
    return shown, [words for words in converter.warnings() if "font" not in words]

app = QgsApplication([], False)
app.initQgis()
answers, alive = [], []
for job in json.load(sys.stdin):
    layer = QgsVectorLayer(job["uri"], job["id"], "memory")
    alive.append(layer)  # Python would take a symbol for the one that lay at its address before
    message, loaded = layer.loadNamedStyle(job["qml"])
    renderer = layer.renderer()
    context = QgsRenderContext()
    scopes = QgsExpressionContextUtils.globalProjectLayerScopes(layer)
    context.expressionContext().appendScopes(scopes)
    renderer.startRender(context, layer.fields())
    symbols = []
    for value in job["values"]:
        feature = QgsFeature(layer.fields())
        if job["field"]:
            feature[job["field"]] = value
        context.expressionContext().setFeature(feature)
        symbol = renderer.symbolForFeature(feature, context)
        symbols.append(symbol and [symbol.color().name(), getattr(symbol, "size", lambda: None)()])
    renderer.stopRender(context)
    shown, warnings = in_tiles(job)
    answers.append({
        "shown_in_tiles": shown, "warnings": warnings,
        "loaded": loaded, "message": message, "renderer": renderer.type(), "symbols": symbols,
        "labels": [item.label() for item in renderer.legendSymbolItems()],
        "labelled": layer.labelsEnabled(),
        "choices": {
            field.name(): [pair for pairs in layer.editorWidgetSetup(n).config()["map"]
                           for pair in pairs.items()]
            for n, field in enumerate(layer.fields())
            if layer.editorWidgetSetup(n).type() == "ValueMap"},
        "aliases": [layer.attributeDisplayName(n) for n in range(len(layer.fields()))],
    })
print(json.dumps(answers))
app.exitQgis()
"""
PYTHON = "/usr/bin/python3"
URI = {GeometryKind.POINT: "Point", GeometryKind.LINE: "LineString"}
URI_TYPES = {"number": "double", "integer": "integer", "boolean": "bool"}
RENDERERS = {
    ClassificationKind.SINGLE: "singleSymbol",
    ClassificationKind.VALUES: "categorizedSymbol",
    ClassificationKind.RANGES: "graduatedSymbol",
}

RISING = [a_class(0, at_least=-5), a_class(1, at_least=0.1)]
OWN = [
    wells(id="alike", style={"colour": "#123456"}),
    wells(id="dry", style={"field": "dry", "classes": [a_class(0, value=True)]}),
    wells(id="pipes", style={"field": "pipes", "classes": [a_class(0, value=1)]}),
    wells(id="depth", style={"field": "depth", "classes": RISING}),
    wells(id="lines", geometry="line", style={"text": "water"}),
]  # fmt: skip
# What has no geometry is drawn nowhere.
LAYERS = [one for one in (*CATALOGUE.layers, *OWN) if one.geometry is not GeometryKind.NONE]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What QGIS says of every layer's style, by layer id."""
    folder = tmp_path_factory.mktemp("qgis")
    jobs = [job(layer, folder) for layer in LAYERS]
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    if shutil.which("qgis") is None or not Path(PYTHON).exists():
        pytest.skip("QGIS is not installed: apt install qgis python3-qgis")
    done = subprocess.run(
        [PYTHON, "-c", IN_QGIS], input=json.dumps(jobs), env=environment, timeout=120,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return {layer.id: answer for layer, answer in zip(LAYERS, told, strict=True)}


def job(layer: Layer, folder: Path) -> dict[str, Any]:
    path = folder / f"{layer.id}.qml"
    path.write_text(qml(layer))
    of = classify(layer)
    fields = "".join(
        f"&field={name}:{URI_TYPES.get(field.type, 'string')}"
        for name, field in layer.public_fields.items()
    )
    kind = URI.get(layer.geometry, "Polygon")
    values = samples(of) if of.field else [None]
    return {
        "id": layer.id,
        "qml": str(path),
        "style": style_document(layer, "http://localhost/{z}/{x}/{y}"),
        "uri": f"{kind}?crs=EPSG:4326{fields}",
        "field": of.field,
        "values": values,
    }


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.id)
def test_qgis_draws_a_layer_as_its_legend_says(
    layer: Layer, answers: dict[str, dict[str, Any]]
) -> None:
    answer, of = answers[layer.id], classify(layer)
    assert answer["loaded"], answer["message"]
    assert answer["renderer"] == RENDERERS[of.kind]
    expected = [of.class_of(value) for value in (samples(of) if of.field else [None])]
    diameters = layer.geometry is GeometryKind.POINT
    assert answer["symbols"] == [
        [one.colour, 2 * one.size_px if diameters else None] for one in expected
    ]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.id)
def test_qgis_draws_vector_tiles_as_the_legend_says(
    layer: Layer, answers: dict[str, dict[str, Any]]
) -> None:
    answer, of = answers[layer.id], classify(layer)
    assert answer["warnings"] == []
    has_edges = layer.geometry is GeometryKind.POLYGON
    for value, colours in zip(
        samples(of) if of.field else [None], answer["shown_in_tiles"], strict=True
    ):
        expected = of.class_of(value)
        assert expected is not None
        edges = [of.outline or expected.colour] if has_edges else []
        assert colours == [expected.colour, *edges], value


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.id)
def test_qgis_names_classes_and_fields_in_vietnamese(
    layer: Layer, answers: dict[str, dict[str, Any]]
) -> None:
    answer, of = answers[layer.id], classify(layer)
    if of.kind is not ClassificationKind.SINGLE:
        assert {one.label.vi for one in of.entries} <= set(answer["labels"])
    units = [f" ({field.unit})" if field.unit else "" for field in layer.public_fields.values()]
    names = [field.label.vi for field in layer.public_fields.values()]
    assert answer["aliases"] == [name + unit for name, unit in zip(names, units, strict=True)]
    assert answer["labelled"] == (of.text is not None)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.id)
def test_qgis_offers_the_values_of_a_field_by_their_names(
    layer: Layer, answers: dict[str, dict[str, Any]]
) -> None:
    assert answers[layer.id]["choices"] == {
        name: [[words.vi, value] for value, words in field.values.items()]
        for name, field in layer.public_fields.items()
        if field.values
    }


def test_a_text_of_the_layer_cannot_break_the_file() -> None:
    label = {"vi": '"Nước" <tốt> & trong', "en": "x"}
    layer = wells(
        style={"field": "water", "classes": [{**a_class(0, value="good"), "label": label}]}
    )
    root = Xml.fromstring(qml(layer).partition("\n")[2])
    category = root.find("renderer-v2/categories/category")
    assert category is not None
    assert category.get("label") == label["vi"]
