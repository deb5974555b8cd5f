"""Reference of layer files, for editors and for people, generated from layers.definition.model.

* `layer_schema()`: JSON Schema 2020-12, for editors that check YAML while one types;
* `layer_schema_text()`: the same as the text of docs/reference/layer-file.schema.json;
* `layer_file_page()`: the text of docs/reference/layer-file.md.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAliasType, get_args, override

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from gis.connectors import CONNECTORS
from layers.definition import model, raster
from layers.definition.model import COLOUR, IDENTIFIER, NAME, Layer, method_sections
from layers.definition.raster import RasterLayer

_FEEDS: Final = {kind.__name__ for kind in model.FEED_KINDS}

type Json = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# Where each part of a layer file stands, in the order of the page.
_PLACES: Final = {
    part.__name__: place
    for part, place in (
        (model.Layer, ""),
        (model.FileSource, "source (`connector: file`)"),
        (model.Coordinates, "source.coordinates"),
        (model.Occurrence, "source.time"),
        (model.SourcePrecision, "source.precision"),
        (model.MeasuredColumns, "source.measured"),
        (model.MeasuredQuality, "source.measured.quality"),
        (model.FeedSource, "source (`connector:` any other)"),
        (model.MappedColumn, "source.map.*name*"),
        (model.ItemOf, "source.map.*name*.transform[]"),
        (model.UnitConversion, "source.map.*name*.unit"),
        (model.Promise, "source.promise"),
        (model.ViewSource, "source (`connector: view`)"),
        (model.LayerField, "fields.*name*"),
        (model.Access, "access"),
        (model.TileOptions, "tiles"),
        (model.HexOptions, "hexes"),
        (model.HotspotOptions, "hotspots"),
        (model.ScanOptions, "hotspots.scan"),
        (model.RoadOptions, "hotspots.scan.roads"),
        (model.RegressionOptions, "hotspots.series (`detector: regression`)"),
        (model.EarsOptions, "hotspots.series (`detector: ears`)"),
        (model.FarringtonOptions, "hotspots.series (`detector: farrington`)"),
        (model.CusumOptions, "hotspots.series (`detector: nb_cusum`)"),
        (model.JointOptions, "hotspots.joint"),
        (model.EmergingOptions, "hotspots.emerging"),
        (model.LocalMoranOptions, "hotspots.local_moran"),
        (model.AlertOptions, "alerts"),
        (model.SensorRule, "alerts.rules[] (`kind: sensor`)"),
        (model.RainRule, "alerts.rules[] (`kind: rain`)"),
        (model.CountRule, "alerts.rules[] (`kind: count`)"),
        (model.QuietRule, "alerts.rules[] (`kind: quiet`)"),
        (model.IndicatorRule, "alerts.rules[] (`kind: indicator`)"),
        (model.RiskRule, "alerts.rules[] (`kind: risk`)"),
        (model.LevelRule, "alerts.rules[] (`kind: level`)"),
        (model.Recipient, "alerts.recipients[]"),
        (model.GazetteerOptions, "gazetteer"),
        (model.MeasurementSeries, "series"),
        (model.SeriesQuantity, "series.quantities.*field*"),
        (model.PlausibleRange, "series.quantities.*field*.plausible"),
        (model.SeriesThreshold, "series.quantities.*field*.thresholds[]"),
        (model.SeriesTrend, "series.quantities.*field*.trend"),
        (model.Style, "style"),
        (model.StyleClass, "style.classes[]"),
        (raster.RasterLayer, "Raster layers (`geometry: raster`)"),
        (raster.RasterTime, "time (of a raster)"),
        (raster.RasterTiles, "tiles (of a raster)"),
        (raster.RasterStyle, "style (of a raster)"),
        (raster.RasterClass, "style.classes[] (of a raster)"),
        (model.LocalizedText, "Texts for people"),
    )
}

# Parts with exactly one of two words.
_EITHER: Final = {
    "StyleClass": ("value", "at_least"),
    "RasterClass": ("value", "at_least"),
    "SensorRule": ("above", "below"),
    "IndicatorRule": ("at_least", "at_most"),
}

_PATTERNS: Final = {
    IDENTIFIER: "identifier: `a–z`, then `a–z`, `0–9`, `_`",
    COLOUR: '`"#rrggbb"`',
    NAME: "name that begins with a letter, without `@` and `/`",
}

_OPENING: Final = """\
# The layer file

One YAML file in the folder of the layers (`GIS_LAYERS`) is one layer; its name is `<id>.yaml`. An
absent section is an absent feature. An unknown word is an error that names file, line and the
right word: `gis layers check` names all of them at once. How to write one:
[add a layer](../how-to/add-a-layer.md).

The file is YAML 1.2: `no` and `12:30` are texts. A text with a comma inside `{ }`, and a colour,
stand in quotes. An editor with a YAML language server completes and checks the words when the
file begins with
`# yaml-language-server: $schema=../docs/reference/layer-file.schema.json`.

This page is generated from `layers/definition/model.py` and, for raster layers,
`layers/definition/raster.py`. **Bold** words must be given.
"""


class _Schema(GenerateJsonSchema):
    """Without the titles that pydantic makes up from names."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def layer_schema() -> Json:
    """JSON Schema of a layer file, as it stands in YAML."""
    schema = Layer.model_json_schema(schema_generator=_Schema)
    rasters = RasterLayer.model_json_schema(schema_generator=_Schema)
    parts = {**rasters.pop("$defs"), **schema.pop("$defs")}
    parts |= {Layer.__name__: schema, RasterLayer.__name__: rasters}
    schema = {
        "$defs": parts,
        "if": {"properties": {"geometry": {"const": "raster"}}, "required": ["geometry"]},
        "then": {"$ref": f"#/$defs/{RasterLayer.__name__}"},
        "else": {"$ref": f"#/$defs/{Layer.__name__}"},
    }
    _close(schema)
    for name, words in _EITHER.items():
        schema["$defs"][name]["oneOf"] = [{"required": [word]} for word in words]
    for word, options in method_sections().items():
        part = options.__name__
        schema["$defs"][part] = options.model_json_schema(schema_generator=_Schema)
        schema["$defs"]["HotspotOptions"]["properties"][word] = {"$ref": f"#/$defs/{part}"}
    zooms = schema["$defs"]["TileOptions"]["properties"]["fields"]
    zooms["propertyNames"] = {"pattern": "^(1?[0-9]|2[0-2])$"}
    schema["$defs"]["Style"]["dependentRequired"] = {"classes": ["field"]}
    return {"$schema": _DIALECT, **schema}


def layer_schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(layer_schema(), ensure_ascii=False, indent=2) + "\n"


def layer_file_page() -> str:
    """The reference of a layer file, as Markdown."""
    schema = layer_schema()
    parts = schema["$defs"] | {model.FeedSource.__name__: _feed()}
    return "\n".join([_OPENING, *(line for name in _places() for line in _section(name, parts))])


def _feed() -> Json:
    """What the kinds of feeds have in common, with what differs as alternatives."""
    feed = model.FeedSource.model_json_schema(schema_generator=_Schema)
    options = [kind.Options.__name__ for kind in CONNECTORS.values()]
    read = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in options]}
    feed["properties"]["connector"] |= {"enum": list(CONNECTORS)}
    feed["properties"]["read"] = read | {"description": feed["properties"]["read"]["description"]}
    return feed


def _places() -> dict[str, str]:
    """Place of each part, with those of methods that have no field of `HotspotOptions`."""
    sections = {f"hotspots.{word}": part.__name__ for word, part in method_sections().items()}
    places = _PLACES | {part: place for place, part in sections.items()}
    for name, kind in CONNECTORS.items():
        for part, path in _option_parts(kind.Options, "source.read"):
            places.setdefault(part, f"{path} (`connector: {name}`)")
    return places


def _option_parts(options: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    """The options of a connector and the sections within them, each with its place."""
    yield options.__name__, path
    for word, field in options.model_fields.items():
        for part in _models_in(field.annotation):
            yield from _option_parts(part, f"{path}.{field.alias or word}")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _close(schema: Any) -> None:
    """Names that fit no pattern are refused, as pydantic refuses them."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)
    if isinstance(schema, list):
        for part in schema:
            _close(part)


def _section(name: str, parts: dict[str, Json]) -> Iterator[str]:
    part, place = parts[name], _places()[name]
    if place:
        yield f"## {place}"
        yield ""
    yield part.get("description", "")
    yield ""
    yield "| word | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    required = set(part.get("required", ()))
    for word, value in part["properties"].items():
        shown = f"**`{word}`**" if word in required else f"`{word}`"
        meaning = _cell(value["description"])
        yield f"| {shown} | {_value(value, parts)} | {_default(value)} | {meaning} |"
    yield ""


def _value(part: Json, parts: dict[str, Json]) -> str:
    """The values that may stand after a word."""
    if "$ref" in part:
        return _reference(part["$ref"].rpartition("/")[2], parts)
    choices = [choice for key in ("anyOf", "oneOf") for choice in part.get(key, ())]
    if choices:
        values = [_value(choice, parts) for choice in choices if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(values))
    if "const" in part or "enum" in part:
        return ", ".join(f"`{choice}`" for choice in part.get("enum", [part.get("const")]))
    return _plain(part, parts)


def _reference(name: str, parts: dict[str, Json]) -> str:
    if name in _FEEDS:
        name = model.FeedSource.__name__
    if name not in _places():
        return _value(parts[name], parts)
    place = _places()[name]
    return (
        f"[{'`vi` and `en`' if name == model.LocalizedText.__name__ else place}](#{_anchor(place)})"
    )


def _plain(part: Json, parts: dict[str, Json]) -> str:
    kind = part.get("type")
    if kind == "array":
        inner = part.get("items") or {}
        return f"list of {_value(inner, parts)}"
    if kind == "object":
        inner = part.get("additionalProperties") or next(iter(part["patternProperties"].values()))
        if inner is True:
            return "section of any words"
        return f"by name: {_value(inner, parts)}"
    if kind == "string" and "pattern" in part:
        return _PATTERNS.get(part["pattern"], f"text like `{part['pattern']}`")
    name = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return f"{name.get(str(kind), str(kind))}{_bounds(part)}"


def _bounds(part: Json) -> str:
    words = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "below",
    }
    bounds = [f"{word} {part[key]:g}" for key, word in words.items() if key in part]
    return f", {' '.join(bounds)}" if bounds else ""


def _default(part: Json) -> str:
    """The default of a word; empty where its meaning has it."""
    default = part.get("default")
    if default in (None, [], {}) or isinstance(default, dict):
        return ""
    return f"`{json.dumps(default, ensure_ascii=False)}`".replace('"', "")


def _anchor(heading: str) -> str:
    """Anchor of a heading as on GitHub: small letters, hyphens for blanks, no punctuation."""
    kept = "".join(char for char in heading.lower() if char.isalnum() or char in " -_")
    return kept.replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
