"""The QGIS style (QML, as QGIS 3.22 writes it) of a layer, from the one classification of its map.

`qml(layer)` gives the text of a `.qml` file: renderer, labels, Vietnamese names of fields and of
the values that a form offers. Sizes are in pixels; a marker's size is a diameter, twice the radius
of the map's circle.
"""

import math
from dataclasses import replace
from xml.etree import ElementTree as Xml

from layers.definition.model import Layer
from layers.items import source_of
from layers.style.classification import (
    Classification,
    ClassificationKind,
    FeatureClass,
    FeatureShape,
    classify,
)

_VERSION = "3.22.0-Białowieża"
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_GEOMETRY = {
    FeatureShape.CIRCLE: "0",
    FeatureShape.LINE: "1",
    FeatureShape.POLYGON: "2",
    FeatureShape.HEX: "2",
}
_SYMBOL = {
    FeatureShape.CIRCLE: "marker",
    FeatureShape.LINE: "line",
    FeatureShape.POLYGON: "fill",
    FeatureShape.HEX: "fill",
}
_NO_UNIT = "1"  # of UCUM
_LOWEST = -1.7976931348623157e308  # the least number that a double holds


def qml(layer: Layer) -> str:
    """The style of a layer as the text of a QML file."""
    of = classify(layer)
    root = Xml.Element(
        "qgis",
        version=_VERSION,
        styleCategories="Symbology|Labeling|Fields|Forms",
        labelsEnabled="0",
    )
    root.append(_RENDERERS[of.kind](of))
    if of.text:
        root.set("labelsEnabled", "1")
        root.append(_labeling(of.text))
    root.append(_choices(layer))
    root.append(_aliases(layer))
    Xml.SubElement(root, "layerGeometryType").text = _GEOMETRY[of.shape]
    Xml.indent(root)
    return _DOCTYPE + Xml.tostring(root, encoding="unicode") + "\n"


def _single(of: Classification) -> Xml.Element:
    renderer = Xml.Element("renderer-v2", type="singleSymbol", symbollevels="0")
    _symbols(renderer, of, of.drawn)
    return renderer


def _categorized(of: Classification) -> Xml.Element:
    """A category without a value holds whatever is in no other."""
    renderer = Xml.Element(
        "renderer-v2", type="categorizedSymbol", attr=of.field or "", symbollevels="0"
    )
    categories = Xml.SubElement(renderer, "categories")
    for index, one in enumerate(of.drawn):
        Xml.SubElement(
            categories,
            "category",
            value=_value_text(one),
            type=_value_type(one),
            symbol=str(index),
            label=one.label.vi,
            render="true",
        )
    _symbols(renderer, of, of.drawn)
    return renderer


def _graduated(of: Classification) -> Xml.Element:
    """QGIS holds a bound to be in both ranges: each ends at the last number below the next.

    Features without a value take the lowest number that there is, and so the range of the others.
    """
    renderer = Xml.Element(
        "renderer-v2",
        type="graduatedSymbol",
        attr=f'coalesce("{of.field}", {_LOWEST!r})',
        graduatedMethod="GraduatedColor",
        symbollevels="0",
    )
    ranges = Xml.SubElement(renderer, "ranges")
    classes = (*_below(of), *of.classes)
    for index, one in enumerate(classes):
        Xml.SubElement(
            ranges,
            "range",
            lower=repr(float(one.lower)),
            upper=repr(_last_below(one.upper)),
            symbol=str(index),
            label=one.label.vi,
            render="true",
        )
    _symbols(renderer, of, classes)
    return renderer


_RENDERERS = {
    ClassificationKind.SINGLE: _single,
    ClassificationKind.VALUES: _categorized,
    ClassificationKind.RANGES: _graduated,
}


def _below(of: Classification) -> tuple[FeatureClass, ...]:
    """The other features: what is below the first bound, or without a value."""
    if of.other is None:
        return ()
    return (replace(of.other, lower=_LOWEST, upper=of.classes[0].lower),)


def _last_below(bound: float) -> float:
    return -_LOWEST if math.isinf(bound) else math.nextafter(bound, -math.inf)


def _value_text(one: FeatureClass) -> str:
    if isinstance(one.value, bool):
        return "true" if one.value else "false"
    return "" if one.value is None else str(one.value)


def _value_type(one: FeatureClass) -> str:
    if isinstance(one.value, bool):
        return "bool"
    return "integer" if isinstance(one.value, int) else "string"


def _symbols(
    renderer: Xml.Element,
    of: Classification,
    classes: list[FeatureClass] | tuple[FeatureClass, ...],
) -> None:
    symbols = Xml.SubElement(renderer, "symbols")
    for index, one in enumerate(classes):
        symbol = Xml.SubElement(
            symbols,
            "symbol",
            type=_SYMBOL[of.shape],
            name=str(index),
            alpha="1",
            clip_to_extent="1",
            force_rhr="0",
        )
        symbol.append(_symbol_layer(of, one))


def _symbol_layer(of: Classification, one: FeatureClass) -> Xml.Element:
    kind, options = _PARTS[of.shape](of, one)
    part = Xml.Element("layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    listed = Xml.SubElement(part, "Option", type="Map")
    for name, value in options.items():
        Xml.SubElement(listed, "Option", type="QString", name=name, value=value)
        Xml.SubElement(part, "prop", k=name, v=value)
    return part


def _marker(of: Classification, one: FeatureClass) -> tuple[str, dict[str, str]]:
    return "SimpleMarker", {
        "name": "circle",
        "color": _rgba(one.colour, of.opacity),
        "outline_color": _rgba(of.outline or one.colour, 1 if of.outline else 0),
        "outline_style": "solid" if of.outline else "no",
        "outline_width": "1",
        "outline_width_unit": "Pixel",
        "size": f"{2 * one.size_px:g}",
        "size_unit": "Pixel",
    }


def _line(of: Classification, one: FeatureClass) -> tuple[str, dict[str, str]]:
    return "SimpleLine", {
        "line_color": _rgba(one.colour, of.opacity),
        "line_width": f"{one.size_px:g}",
        "line_width_unit": "Pixel",
        "line_style": "solid",
        "capstyle": "round",
        "joinstyle": "round",
    }


def _fill(of: Classification, one: FeatureClass) -> tuple[str, dict[str, str]]:
    return "SimpleFill", {
        "color": _rgba(one.colour, of.opacity),
        "style": "solid",
        "outline_color": _rgba(of.outline or one.colour, 1),
        "outline_style": "solid",
        "outline_width": f"{one.size_px:g}",
        "outline_width_unit": "Pixel",
    }


_PARTS = {
    FeatureShape.CIRCLE: _marker,
    FeatureShape.LINE: _line,
    FeatureShape.POLYGON: _fill,
    FeatureShape.HEX: _fill,
}


def _rgba(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"{red},{green},{blue},{round(255 * opacity)}"


def _labeling(field: str) -> Xml.Element:
    labeling = Xml.Element("labeling", type="simple")
    settings = Xml.SubElement(labeling, "settings", calloutType="simple")
    text = Xml.SubElement(
        settings,
        "text-style",
        fieldName=field,
        isExpression="0",
        fontSize="9",
        fontSizeUnit="Point",
        textColor="38,50,56,255",
    )
    Xml.SubElement(
        text,
        "text-buffer",
        bufferDraw="1",
        bufferSize="1",
        bufferSizeUnits="MM",
        bufferColor="255,255,255,255",
    )
    return labeling


def _aliases(layer: Layer) -> Xml.Element:
    """Of all that items have: the layer's fields and what the service adds to them."""
    aliases = Xml.Element("aliases")
    for index, one in enumerate(source_of(layer).properties):
        unit = f" ({one.unit})" if one.unit and one.unit != _NO_UNIT else ""
        Xml.SubElement(
            aliases, "alias", index=str(index), field=one.name, name=f"{one.label.vi}{unit}"
        )
    return aliases


def _choices(layer: Layer) -> Xml.Element:
    """Fields with a list of values are edited, and shown in tables, by the names of the values."""
    configuration = Xml.Element("fieldConfiguration")
    for name, field in layer.public_fields.items():
        if field.values:
            one = Xml.SubElement(configuration, "field", name=name, configurationFlags="None")
            widget = Xml.SubElement(one, "editWidget", type="ValueMap")
            options = Xml.SubElement(Xml.SubElement(widget, "config"), "Option", type="Map")
            listed = Xml.SubElement(options, "Option", type="List", name="map")
            for value, words in field.values.items():
                pair = Xml.SubElement(listed, "Option", type="Map")
                Xml.SubElement(pair, "Option", type="QString", name=words.vi, value=value)
    return configuration
