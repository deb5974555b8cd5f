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
    classification = classify(layer)
    root = Xml.Element(
        "qgis",
        version=_VERSION,
        styleCategories="Symbology|Labeling|Fields|Forms",
        labelsEnabled="0",
    )
    root.append(_RENDERERS[classification.kind](classification))
    if classification.text:
        root.set("labelsEnabled", "1")
        root.append(_labeling(classification.text))
    root.append(_choices(layer))
    root.append(_aliases(layer))
    Xml.SubElement(root, "layerGeometryType").text = _GEOMETRY[classification.shape]
    Xml.indent(root)
    return _DOCTYPE + Xml.tostring(root, encoding="unicode") + "\n"


def _single(classification: Classification) -> Xml.Element:
    renderer = Xml.Element("renderer-v2", type="singleSymbol", symbollevels="0")
    _symbols(renderer, classification, classification.drawn)
    return renderer


def _categorized(classification: Classification) -> Xml.Element:
    """A category without a value holds whatever is in no other."""
    renderer = Xml.Element(
        "renderer-v2", type="categorizedSymbol", attr=classification.field or "", symbollevels="0"
    )
    categories = Xml.SubElement(renderer, "categories")
    for index, feature_class in enumerate(classification.drawn):
        Xml.SubElement(
            categories,
            "category",
            value=_value_text(feature_class),
            type=_value_type(feature_class),
            symbol=str(index),
            label=feature_class.label.vi,
            render="true",
        )
    _symbols(renderer, classification, classification.drawn)
    return renderer


def _graduated(classification: Classification) -> Xml.Element:
    """QGIS holds a bound to be in both ranges: each ends at the last number below the next.

    Features without a value take the lowest number that there is, and so the range of the others.
    """
    renderer = Xml.Element(
        "renderer-v2",
        type="graduatedSymbol",
        attr=f'coalesce("{classification.field}", {_LOWEST!r})',
        graduatedMethod="GraduatedColor",
        symbollevels="0",
    )
    ranges = Xml.SubElement(renderer, "ranges")
    classes = (*_below(classification), *classification.classes)
    for index, feature_class in enumerate(classes):
        Xml.SubElement(
            ranges,
            "range",
            lower=repr(float(feature_class.lower)),
            upper=repr(_last_below(feature_class.upper)),
            symbol=str(index),
            label=feature_class.label.vi,
            render="true",
        )
    _symbols(renderer, classification, classes)
    return renderer


_RENDERERS = {
    ClassificationKind.SINGLE: _single,
    ClassificationKind.VALUES: _categorized,
    ClassificationKind.RANGES: _graduated,
}


def _below(classification: Classification) -> tuple[FeatureClass, ...]:
    """The other features: what is below the first bound, or without a value."""
    if classification.other is None:
        return ()
    return (replace(classification.other, lower=_LOWEST, upper=classification.classes[0].lower),)


def _last_below(bound: float) -> float:
    return -_LOWEST if math.isinf(bound) else math.nextafter(bound, -math.inf)


def _value_text(feature_class: FeatureClass) -> str:
    if isinstance(feature_class.value, bool):
        return "true" if feature_class.value else "false"
    return "" if feature_class.value is None else str(feature_class.value)


def _value_type(feature_class: FeatureClass) -> str:
    if isinstance(feature_class.value, bool):
        return "bool"
    return "integer" if isinstance(feature_class.value, int) else "string"


def _symbols(
    renderer: Xml.Element,
    classification: Classification,
    classes: list[FeatureClass] | tuple[FeatureClass, ...],
) -> None:
    symbols = Xml.SubElement(renderer, "symbols")
    for index, feature_class in enumerate(classes):
        symbol = Xml.SubElement(
            symbols,
            "symbol",
            type=_SYMBOL[classification.shape],
            name=str(index),
            alpha="1",
            clip_to_extent="1",
            force_rhr="0",
        )
        symbol.append(_symbol_layer(classification, feature_class))


def _symbol_layer(classification: Classification, feature_class: FeatureClass) -> Xml.Element:
    kind, options = _PARTS[classification.shape](classification, feature_class)
    part = Xml.Element("layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    listed = Xml.SubElement(part, "Option", type="Map")
    for name, value in options.items():
        Xml.SubElement(listed, "Option", type="QString", name=name, value=value)
        Xml.SubElement(part, "prop", k=name, v=value)
    return part


def _marker(
    classification: Classification, feature_class: FeatureClass
) -> tuple[str, dict[str, str]]:
    return "SimpleMarker", {
        "name": "circle",
        "color": _rgba(feature_class.colour, classification.opacity),
        "outline_color": _rgba(
            classification.outline or feature_class.colour, 1 if classification.outline else 0
        ),
        "outline_style": "solid" if classification.outline else "no",
        "outline_width": "1",
        "outline_width_unit": "Pixel",
        "size": f"{2 * feature_class.size_px:g}",
        "size_unit": "Pixel",
    }


def _line(
    classification: Classification, feature_class: FeatureClass
) -> tuple[str, dict[str, str]]:
    return "SimpleLine", {
        "line_color": _rgba(feature_class.colour, classification.opacity),
        "line_width": f"{feature_class.size_px:g}",
        "line_width_unit": "Pixel",
        "line_style": "solid",
        "capstyle": "round",
        "joinstyle": "round",
    }


def _fill(
    classification: Classification, feature_class: FeatureClass
) -> tuple[str, dict[str, str]]:
    return "SimpleFill", {
        "color": _rgba(feature_class.colour, classification.opacity),
        "style": "solid",
        "outline_color": _rgba(classification.outline or feature_class.colour, 1),
        "outline_style": "solid",
        "outline_width": f"{feature_class.size_px:g}",
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
    """Aliases of all properties of items: the layer's fields and what the service adds to them."""
    aliases = Xml.Element("aliases")
    for index, served in enumerate(source_of(layer).properties):
        unit = f" ({served.unit})" if served.unit and served.unit != _NO_UNIT else ""
        Xml.SubElement(
            aliases, "alias", index=str(index), field=served.name, name=f"{served.label.vi}{unit}"
        )
    return aliases


def _choices(layer: Layer) -> Xml.Element:
    """Fields with a list of values are edited, and shown in tables, by the names of the values."""
    configuration = Xml.Element("fieldConfiguration")
    for name, field in layer.public_fields.items():
        if field.values:
            element = Xml.SubElement(configuration, "field", name=name, configurationFlags="None")
            widget = Xml.SubElement(element, "editWidget", type="ValueMap")
            options = Xml.SubElement(Xml.SubElement(widget, "config"), "Option", type="Map")
            listed = Xml.SubElement(options, "Option", type="List", name="map")
            for value, words in field.values.items():
                pair = Xml.SubElement(listed, "Option", type="Map")
                Xml.SubElement(pair, "Option", type="QString", name=words.vi, value=value)
    return configuration
