"""Counts by hex as a vector tile layer of QGIS, in the classes of the map and the legend."""

import math
from xml.etree import ElementTree as Xml

from layers.definition.model import Layer
from layers.style.classification import Classification, FeatureClass, hex_classification

_LAST_ZOOM = 12  # QGIS enlarges the tiles of the last one
_POLYGON = "2"


def hex_title(layer: Layer) -> str:
    return f"{layer.title.vi}: số lượng theo ô lục giác"


def hex_source(layer: Layer, root_url: str) -> str:
    tiles = f"{root_url}/hexes/{layer.id}/%7Bz%7D/%7Bx%7D/%7By%7D.mvt"
    return f"type=xyz&url={tiles}&zmin=0&zmax={_LAST_ZOOM}"


def hex_renderer(layer: Layer, min_count: int) -> Xml.Element:
    """One style a class; a hex is drawn by the class that holds its count."""
    classification = hex_classification(layer, min_count)
    renderer = Xml.Element("renderer", type="basic")
    styles = Xml.SubElement(renderer, "styles")
    for each in classification.classes:
        style = Xml.SubElement(
            styles,
            "style",
            {
                "layer": f"{layer.id}_hexes",
                "name": each.label.vi,
                "expression": _condition(classification, each),
                "geometry": _POLYGON,
                "enabled": "1",
                "min-zoom": "-1",
                "max-zoom": "-1",
            },
        )
        Xml.SubElement(style, "symbols").append(_symbol(classification, each))
    return renderer


def _condition(classification: Classification, each: FeatureClass) -> str:
    low = f'"{classification.field}" >= {each.lower:g}'
    return low if math.isinf(each.upper) else f'{low} AND "{classification.field}" < {each.upper:g}'


def _symbol(classification: Classification, each: FeatureClass) -> Xml.Element:
    symbol = Xml.Element("symbol", type="fill", name="0", alpha=f"{classification.opacity:g}")
    part = Xml.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "pass": "0"})
    look = {
        "color": _rgba(each.colour),
        "style": "solid",
        "outline_color": _rgba(classification.outline or each.colour),
        "outline_style": "solid",
        "outline_width": f"{each.size_px:g}",
        "outline_width_unit": "Pixel",
    }
    options = Xml.SubElement(part, "Option", type="Map")
    for name, value in look.items():
        Xml.SubElement(options, "Option", type="QString", name=name, value=value)
        Xml.SubElement(part, "prop", k=name, v=value)
    return symbol


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5)) + ",255"
