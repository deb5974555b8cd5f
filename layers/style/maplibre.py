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
    classification = classify(layer)
    frame = _frame(layer.id, source_url_template, layer)
    drawn = _drawn(layer.id, classification, frame)
    labels = (
        [_label(f"{layer.id}-text", classification, _label_frame(layer, frame))]
        if classification.text
        else []
    )
    if HEX_FIELD in layer.public_fields or (
        classification.shape is not FeatureShape.CIRCLE and layer.is_view
    ):
        return drawn + labels
    if classification.shape is not FeatureShape.CIRCLE:  # its style layers draw no points
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
    classification, name = hex_classification(layer, min_count), f"{layer.id}_hexes"
    return _drawn(name, classification, _frame(name, source_url_template, layer))


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


def _drawn(name: str, classification: Classification, frame: Json) -> list[Json]:
    """A style layer a class; outlines that all classes share are one more."""
    paint = _PAINTS[classification.shape]
    parts = [
        _narrowed(
            {
                "id": f"{name}-{number}: {feature_class.label.vi}",
                **frame,
                "metadata": {**frame["metadata"], "gis:label": feature_class.label.model_dump()},
                **paint(classification, feature_class),
            },
            class_filter(classification, feature_class),
        )
        for number, feature_class in enumerate(classification.drawn)
    ]
    return parts + _edges(name, classification, frame)


def class_filter(classification: Classification, feature_class: FeatureClass) -> Filter | None:
    """The filter of the features in a class; None where all are."""
    value: Filter = ["get", classification.field]
    if classification.kind is ClassificationKind.SINGLE:
        return None
    if classification.kind is ClassificationKind.VALUES:
        if feature_class is classification.other:
            return ["all", *(["!=", value, listed.value] for listed in classification.classes)]
        return ["==", value, feature_class.value]
    if feature_class is classification.other:
        return [
            "any",
            ["!", ["has", classification.field]],
            ["<", value, classification.classes[0].lower],
        ]
    top = [] if math.isinf(feature_class.upper) else [["<", value, feature_class.upper]]
    return ["all", ["has", classification.field], [">=", value, feature_class.lower], *top]


def _narrowed(part: Json, added: Filter | None) -> Json:
    """The style layer with one more condition; None adds nothing."""
    filters = [part_filter for part_filter in (added, part.get("filter")) if part_filter]
    if not filters:
        return part
    return {**part, "filter": filters[0] if len(filters) == 1 else ["all", *filters]}


def _circle(classification: Classification, feature_class: FeatureClass) -> Json:
    paint: Json = {
        "circle-color": feature_class.colour,
        "circle-radius": feature_class.size_px,
        "circle-opacity": classification.opacity,
    }
    if classification.outline:
        paint |= {"circle-stroke-color": classification.outline, "circle-stroke-width": 1}
    return {"type": "circle", "paint": paint}


def _line(classification: Classification, feature_class: FeatureClass) -> Json:
    paint = {
        "line-color": feature_class.colour,
        "line-width": feature_class.size_px,
        "line-opacity": classification.opacity,
    }
    layout = {"line-cap": "round", "line-join": "round"}
    return {"type": "line", "layout": layout, "paint": paint}


def _fill(classification: Classification, feature_class: FeatureClass) -> Json:
    return {
        "type": "fill",
        "paint": {"fill-color": feature_class.colour, "fill-opacity": classification.opacity},
    }


_PAINTS = {
    FeatureShape.CIRCLE: _circle,
    FeatureShape.LINE: _line,
    FeatureShape.POLYGON: _fill,
    FeatureShape.HEX: _fill,
}


def _edges(name: str, classification: Classification, frame: Json) -> list[Json]:
    """Outlines of polygons: as wide as their class says, in its colour where there is no other."""
    if classification.shape not in (FeatureShape.POLYGON, FeatureShape.HEX):
        return []
    looks = {
        (classification.outline or feature_class.colour, feature_class.size_px)
        for feature_class in classification.drawn
    }
    if len(looks) == 1:
        return [_edge(f"{name}-edge", frame, *looks.pop())]
    return [
        _narrowed(
            _edge(
                f"{name}-edge-{number}",
                frame,
                classification.outline or feature_class.colour,
                feature_class.size_px,
            ),
            class_filter(classification, feature_class),
        )
        for number, feature_class in enumerate(classification.drawn)
    ]


def _edge(name: str, frame: Json, colour: str, width_px: float) -> Json:
    paint = {"line-color": colour, "line-width": width_px}
    return {"id": name, **frame, "type": "line", "paint": paint}


def _clusters(name: str, frame: Json) -> list[Json]:
    number = _label(f"{name}-clusters-text", CLUSTERS, frame)
    number["layout"] |= {"text-anchor": "center", "text-offset": [0, 0]}
    return [*_drawn(f"{name}-clusters", CLUSTERS, frame), _narrowed(number, ["has", HEX_FIELD])]


def _label(name: str, classification: Classification, frame: Json) -> Json:
    layout: Json = {
        "text-field": ["to-string", ["get", classification.text]],
        "text-size": 12,
        "text-max-width": 8,
    }
    if classification.shape is FeatureShape.CIRCLE:
        layout |= {"text-anchor": "top", "text-offset": [0, 0.8]}
    if classification.shape is FeatureShape.LINE:
        layout |= {"symbol-placement": "line"}
    paint = {"text-color": "#263238", "text-halo-color": "#ffffff", "text-halo-width": 1.5}
    return {"id": name, **frame, "type": "symbol", "layout": layout, "paint": paint}
