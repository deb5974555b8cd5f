"""MapLibre style layers of a layer, from the one classification that its legend has.

* `map_style(layer, source_url_template)`: the style layers of its features;
* `hex_style(layer, source_url_template, min_count=1)`: those of its counts by hex;
* `style_document(layer, source_url_template)`, `hex_style_document(…)`: a whole style, version 8.

Style layers name the source `<id>` (hexes: `<id>_hexes`) and the same source layer inside the
tiles; `metadata["gis:source"]` holds the source itself, for a map that adds them one by one. The
template is that of the tiles, with {z}/{x}/{y}. No style has `glyphs`: labels are drawn with the
fonts of the reader's machine, Vietnamese included.
"""

from typing import Any

from layers.classification import (
    Classification,
    FeatureClass,
    Kind,
    Shape,
    classify,
    hex_classification,
)
from layers.model import Layer, TileOptions

type Json = dict[str, Any]


def map_style(layer: Layer, source_url_template: str) -> list[Json]:
    """Circles for points, lines, or fill and outline for polygons; then labels, if any."""
    of = classify(layer)
    tiles = layer.tiles or TileOptions()
    frame = _frame(layer.id, source_url_template, tiles)
    from_zoom = max(tiles.min_zoom, tiles.points_from_zoom)
    if from_zoom:
        frame["minzoom"] = from_zoom
    drawn = [{"id": f"{layer.id}{end}", **frame, **part} for end, part in _DRAWN[of.shape](of)]
    return drawn + ([_label(layer.id, frame, of)] if of.text else [])


def hex_style(layer: Layer, source_url_template: str, min_count: int = 1) -> list[Json]:
    """Hexes by their count; where the layer says from which zoom its points show, up to there."""
    of = hex_classification(layer, min_count)
    tiles = layer.tiles or TileOptions()
    frame = _frame(f"{layer.id}_hexes", source_url_template, tiles)
    if tiles.points_from_zoom:
        frame["maxzoom"] = tiles.points_from_zoom
    return [{"id": f"{layer.id}_hexes{end}", **frame, **part} for end, part in _polygons(of)]


def style_document(layer: Layer, source_url_template: str) -> Json:
    """A whole style for a client that opens the layer alone, such as QGIS."""
    return _document(layer.title.vi, layer, map_style(layer, source_url_template))


def hex_style_document(layer: Layer, source_url_template: str, min_count: int = 1) -> Json:
    """A whole style of the layer's hexes."""
    layers = hex_style(layer, source_url_template, min_count)
    return _document(f"{layer.title.vi} (H3)", layer, layers)


def colour_expression(of: Classification) -> Any:
    """A colour, or a MapLibre expression that gives that of a feature's class."""
    return _expression(of, [one.colour for one in of.classes], of.rest.colour)


def size_expression(of: Classification) -> Any:
    """A size in pixels, or a MapLibre expression that gives that of a feature's class."""
    return _expression(of, [one.size_px for one in of.classes], of.rest.size_px)


def _frame(name: str, template: str, tiles: TileOptions) -> Json:
    source = {
        "type": "vector",
        "tiles": [template],
        "minzoom": tiles.min_zoom,
        "maxzoom": tiles.max_zoom,
    }
    return {"source": name, "source-layer": name, "metadata": {"gis:source": source}}


def _document(name: str, layer: Layer, layers: list[Json]) -> Json:
    sources = {part["source"]: part["metadata"]["gis:source"] for part in layers}
    if layer.attribution:
        sources = {key: {**one, "attribution": layer.attribution} for key, one in sources.items()}
    plain = [{key: part[key] for key in part if key != "metadata"} for part in layers]
    return {"version": 8, "name": name, "sources": sources, "layers": plain}


def _expression(of: Classification, outputs: list[Any], rest: Any) -> Any:
    if not of.classes or all(output == rest for output in outputs):
        return rest
    value: list[Any] = ["get", of.field]
    if of.kind is Kind.RANGES:
        steps = [
            part for one, out in zip(of.classes, outputs, strict=True) for part in (one.lower, out)
        ]
        known = ["==", ["typeof", value], "number"]
        return ["case", known, ["step", ["number", value], rest, *steps], rest]
    labels = [_match_label(one) for one in of.classes]
    asked = ["to-string", value] if isinstance(of.classes[0].value, bool) else value
    cases = [part for pair in zip(labels, outputs, strict=True) for part in pair]
    return ["match", asked, *cases, rest]


def _match_label(one: FeatureClass) -> str | int:
    """`match` takes texts and numbers: a boolean is matched by how `to-string` writes it."""
    if isinstance(one.value, bool):
        return "true" if one.value else "false"
    assert one.value is not None
    return one.value


def _circles(of: Classification) -> list[tuple[str, Json]]:
    paint: Json = {
        "circle-color": colour_expression(of),
        "circle-radius": size_expression(of),
        "circle-opacity": of.opacity,
    }
    if of.outline:
        paint |= {"circle-stroke-color": of.outline, "circle-stroke-width": 1}
    return [("", {"type": "circle", "paint": paint})]


def _lines(of: Classification) -> list[tuple[str, Json]]:
    paint = {
        "line-color": colour_expression(of),
        "line-width": size_expression(of),
        "line-opacity": of.opacity,
    }
    layout = {"line-cap": "round", "line-join": "round"}
    return [("", {"type": "line", "layout": layout, "paint": paint})]


def _polygons(of: Classification) -> list[tuple[str, Json]]:
    colour = colour_expression(of)
    fill = {"fill-color": colour, "fill-opacity": of.opacity}
    edge = {"line-color": of.outline or colour, "line-width": size_expression(of)}
    return [("", {"type": "fill", "paint": fill}), ("-edge", {"type": "line", "paint": edge})]


_DRAWN = {
    Shape.CIRCLE: _circles,
    Shape.LINE: _lines,
    Shape.POLYGON: _polygons,
    Shape.HEX: _polygons,
}


def _label(layer_id: str, frame: Json, of: Classification) -> Json:
    layout: Json = {
        "text-field": ["to-string", ["get", of.text]],
        "text-size": 12,
        "text-max-width": 8,
    }
    if of.shape is Shape.CIRCLE:
        layout |= {"text-anchor": "top", "text-offset": [0, 0.8]}
    if of.shape is Shape.LINE:
        layout |= {"symbol-placement": "line"}
    paint = {"text-color": "#263238", "text-halo-color": "#ffffff", "text-halo-width": 1.5}
    return {"id": f"{layer_id}-text", **frame, "type": "symbol", "layout": layout, "paint": paint}
