"""MapLibre style layers of a layer, from the one classification that its legend has.

* `map_style(layer, source_url_template)`: the style layers of its features;
* `hex_style(layer, source_url_template, min_count=1)`: those of its counts by hex;
* `style_document(layer, source_url_template)`, `hex_style_document(…)`: a whole style, version 8;
* `style_of(parts)`: the same of several layers together.

Each class is a style layer of its own, with a filter and plain values: QGIS reads those rightly,
and no expression of data (3.22 drops `step` and `case`, and `match` of circles). Style layers name
the source `<id>` (hexes: `<id>_hexes`) and the same source layer inside the tiles; `metadata` holds
the source itself (`gis:source`), for a map that adds them one by one, and the name of the class
(`gis:label`). The template is that of the tiles, with {z}/{x}/{y}. No style has `glyphs`: labels
are drawn with the fonts of the reader's machine, Vietnamese included.

Tiles may gather points into clusters, which have nothing but a `count`; they are drawn as circles
with their number.
"""

import math
from collections.abc import Sequence
from typing import Any

from layers.definition.model import GeometryKind, Layer, TileOptions
from layers.style.classification import (
    CLUSTERS,
    HEX_FIELD,
    Classification,
    ClassificationKind,
    FeatureClass,
    FeatureShape,
    classify,
    hex_classification,
)

type Json = dict[str, Any]
type Filter = list[Any]


def map_style(layer: Layer, source_url_template: str) -> list[Json]:
    """Circles for points, lines, or fill and outline for polygons; then labels, if any."""
    of = classify(layer)
    frame = _frame(layer.id, source_url_template, layer)
    drawn = _drawn(layer.id, of, frame)
    labels = [_label(f"{layer.id}-text", of, _label_frame(layer, frame))] if of.text else []
    if HEX_FIELD in layer.public_fields or (of.shape is not FeatureShape.CIRCLE and layer.is_view):
        return drawn + labels
    if of.shape is not FeatureShape.CIRCLE:  # its style layers draw no points
        return [*drawn, *labels, *_clusters(layer.id, frame)]
    single = ["!", ["has", HEX_FIELD]]
    return [*(_narrowed(part, single) for part in drawn + labels), *_clusters(layer.id, frame)]


def _label_frame(layer: Layer, frame: Json) -> Json:
    """Polygons have one point a label, in a source layer of its own (tiles.mvt)."""
    if layer.geometry is not GeometryKind.POLYGON:
        return frame
    return {**frame, "source-layer": f"{layer.id}_labels"}


def hex_style(layer: Layer, source_url_template: str, min_count: int = 1) -> list[Json]:
    """Hexes by their count, which is never less than `min_count`, the setting."""
    of, name = hex_classification(layer, min_count), f"{layer.id}_hexes"
    return _drawn(name, of, _frame(name, source_url_template, layer))


def style_document(layer: Layer, source_url_template: str) -> Json:
    """A whole style for a client that opens the layer alone, such as QGIS."""
    return _document(layer.title.vi, map_style(layer, source_url_template))


def hex_style_document(layer: Layer, source_url_template: str, min_count: int = 1) -> Json:
    """A whole style of the layer's hexes."""
    layers = hex_style(layer, source_url_template, min_count)
    return _document(f"{layer.title.vi} (H3)", layers)


def style_of(parts: Sequence[Json]) -> Json:
    """One style of the style layers of several layers: areas, lines, points, then labels."""
    order = ["fill", "line", "circle", "symbol"]
    return _document("GIS", sorted(parts, key=lambda part: order.index(part["type"])))


def _frame(name: str, template: str, layer: Layer) -> Json:
    tiles = layer.tiles or TileOptions()
    source: Json = {
        "type": "vector",
        "tiles": [template],
        "minzoom": tiles.min_zoom,
        "maxzoom": tiles.max_zoom,
    }
    if layer.attribution:
        source["attribution"] = layer.attribution
    return {"source": name, "source-layer": name, "metadata": {"gis:source": source}}


def _document(name: str, parts: Sequence[Json]) -> Json:
    sources = {part["source"]: part["metadata"]["gis:source"] for part in parts}
    plain = [{key: part[key] for key in part if key != "metadata"} for part in parts]
    return {"version": 8, "name": name, "sources": sources, "layers": plain}


def _drawn(name: str, of: Classification, frame: Json) -> list[Json]:
    """A style layer a class; outlines that all classes share are one more."""
    paint = _PAINTS[of.shape]
    parts = [
        _narrowed(
            {
                "id": f"{name}-{number}: {one.label.vi}",
                **frame,
                "metadata": {**frame["metadata"], "gis:label": one.label.model_dump()},
                **paint(of, one),
            },
            class_filter(of, one),
        )
        for number, one in enumerate(of.drawn)
    ]
    return parts + _edges(name, of, frame)


def class_filter(of: Classification, one: FeatureClass) -> Filter | None:
    """Which features are in a class; None: all."""
    value: Filter = ["get", of.field]
    if of.kind is ClassificationKind.SINGLE:
        return None
    if of.kind is ClassificationKind.VALUES:
        if one is of.other:
            return ["all", *(["!=", value, told.value] for told in of.classes)]
        return ["==", value, one.value]
    if one is of.other:
        return ["any", ["!", ["has", of.field]], ["<", value, of.classes[0].lower]]
    top = [] if math.isinf(one.upper) else [["<", value, one.upper]]
    return ["all", ["has", of.field], [">=", value, one.lower], *top]


def _narrowed(part: Json, to: Filter | None) -> Json:
    """A style layer that also asks for something else."""
    asked = [one for one in (to, part.get("filter")) if one]
    if not asked:
        return part
    return {**part, "filter": asked[0] if len(asked) == 1 else ["all", *asked]}


def _circle(of: Classification, one: FeatureClass) -> Json:
    paint: Json = {
        "circle-color": one.colour,
        "circle-radius": one.size_px,
        "circle-opacity": of.opacity,
    }
    if of.outline:
        paint |= {"circle-stroke-color": of.outline, "circle-stroke-width": 1}
    return {"type": "circle", "paint": paint}


def _line(of: Classification, one: FeatureClass) -> Json:
    paint = {"line-color": one.colour, "line-width": one.size_px, "line-opacity": of.opacity}
    layout = {"line-cap": "round", "line-join": "round"}
    return {"type": "line", "layout": layout, "paint": paint}


def _fill(of: Classification, one: FeatureClass) -> Json:
    return {"type": "fill", "paint": {"fill-color": one.colour, "fill-opacity": of.opacity}}


_PAINTS = {
    FeatureShape.CIRCLE: _circle,
    FeatureShape.LINE: _line,
    FeatureShape.POLYGON: _fill,
    FeatureShape.HEX: _fill,
}


def _edges(name: str, of: Classification, frame: Json) -> list[Json]:
    """Outlines of polygons: as wide as their class says, in its colour where none is told."""
    if of.shape not in (FeatureShape.POLYGON, FeatureShape.HEX):
        return []
    looks = {(of.outline or one.colour, one.size_px) for one in of.drawn}
    if len(looks) == 1:
        return [_edge(f"{name}-edge", frame, *looks.pop())]
    return [
        _narrowed(
            _edge(f"{name}-edge-{number}", frame, of.outline or one.colour, one.size_px),
            class_filter(of, one),
        )
        for number, one in enumerate(of.drawn)
    ]


def _edge(name: str, frame: Json, colour: str, width_px: float) -> Json:
    paint = {"line-color": colour, "line-width": width_px}
    return {"id": name, **frame, "type": "line", "paint": paint}


def _clusters(name: str, frame: Json) -> list[Json]:
    number = _label(f"{name}-clusters-text", CLUSTERS, frame)
    number["layout"] |= {"text-anchor": "center", "text-offset": [0, 0]}
    return [*_drawn(f"{name}-clusters", CLUSTERS, frame), _narrowed(number, ["has", HEX_FIELD])]


def _label(name: str, of: Classification, frame: Json) -> Json:
    layout: Json = {
        "text-field": ["to-string", ["get", of.text]],
        "text-size": 12,
        "text-max-width": 8,
    }
    if of.shape is FeatureShape.CIRCLE:
        layout |= {"text-anchor": "top", "text-offset": [0, 0.8]}
    if of.shape is FeatureShape.LINE:
        layout |= {"symbol-placement": "line"}
    paint = {"text-color": "#263238", "text-halo-color": "#ffffff", "text-halo-width": 1.5}
    return {"id": name, **frame, "type": "symbol", "layout": layout, "paint": paint}
