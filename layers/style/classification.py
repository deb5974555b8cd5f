"""One classification of a layer's features, from which the map, the legend and QGIS are derived.

`classify(layer)` gives it; the modules beside only write it down for MapLibre, legend and QGIS.
`hex_classification(layer)` is that of a layer's counts by hex.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from gis.text import number_en, number_vi
from layers.definition.model import FieldType, GeometryKind, Layer, LocalizedText, Style, StyleClass


class ClassificationKind(StrEnum):
    SINGLE = "single"  # all features alike
    VALUES = "values"  # one class a value
    RANGES = "ranges"  # one class from each bound to the next


class FeatureShape(StrEnum):
    """The shape with which the map draws a feature."""

    CIRCLE = "circle"
    LINE = "line"
    POLYGON = "polygon"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class FeatureClass:
    """The look of the features of a class. `size_px`: radius of a circle or width of a line.

    `value` is what the field holds; of a range, `lower` <= field < `upper`.
    """

    label: LocalizedText
    colour: str
    size_px: float
    value: str | bool | int | None = None
    lower: float = -math.inf
    upper: float = math.inf


@dataclass(frozen=True, slots=True)
class Classification:
    """The classes of a layer, in the order of the legend, and the look that they share.

    `other` holds whatever is in no class, features without a value included: it is drawn, so that
    no feature is hidden, but has no line in a legend that is `closed`, where none is expected.
    Counts are always in a class and have no other.
    """

    kind: ClassificationKind
    shape: FeatureShape
    field: str | None
    classes: tuple[FeatureClass, ...]
    other: FeatureClass | None
    opacity: float
    outline: str | None
    text: str | None = None
    closed: bool = False

    @property
    def drawn(self) -> tuple[FeatureClass, ...]:
        """All classes, with the other one last."""
        return (*self.classes, self.other) if self.other else self.classes

    @property
    def entries(self) -> tuple[FeatureClass, ...]:
        """The classes of a legend."""
        return self.classes if self.closed else self.drawn

    def class_of(self, value: str | bool | float | None) -> FeatureClass | None:
        """The class of a feature by the value of its field."""
        return next((each for each in self.classes if _holds(each, self.kind, value)), self.other)


_SHAPES = {
    GeometryKind.POINT: FeatureShape.CIRCLE,
    GeometryKind.LINE: FeatureShape.LINE,
    GeometryKind.POLYGON: FeatureShape.POLYGON,
    GeometryKind.NONE: FeatureShape.POLYGON,
}


def classify(layer: Layer) -> Classification:
    """The classification that the section `style` of a layer file says."""
    style = layer.style
    kind = _kind(style)
    return Classification(
        kind=kind,
        shape=_SHAPES[layer.geometry],
        field=style.field if kind is not ClassificationKind.SINGLE else None,
        classes=_classes(style, kind),
        other=_other(layer, kind),
        closed=_is_closed(layer, kind),
        opacity=style.opacity,
        outline=style.outline,
        text=style.text,
    )


# ColorBrewer's sequential YlGnBu in seven classes, which the colour-blind tell apart
# (Harrower & Brewer 2003, The Cartographic Journal 40:27–37).
HEX_RAMP = ("#ffffcc", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84")
HEX_BOUNDS = (1, 5, 10, 25, 50, 100, 250)
HEX_FIELD = "count"

_CLUSTER_SIZES_PX = {1: 5.0, 2: 9.0, 10: 13.0, 100: 17.0, 1000: 22.0}


def hex_classification(layer: Layer, min_count: int = 1) -> Classification:
    """Records a hex, in classes. `min_count` is the setting, where the layer says no other.

    Counts below it are never shown, and so have no class.
    """
    least = (layer.hexes.min_count if layer.hexes else None) or min_count
    bounds = [least, *(bound for bound in HEX_BOUNDS if bound > least)]
    colours = HEX_RAMP[len(HEX_RAMP) - len(bounds) :]
    tops = [*bounds[1:], math.inf]
    return Classification(
        kind=ClassificationKind.RANGES,
        shape=FeatureShape.HEX,
        field=HEX_FIELD,
        classes=tuple(map(_hex_class, bounds, tops, colours)),
        other=None,
        opacity=0.7,
        outline="#ffffff",
    )


def _hex_class(lower: float, upper: float, colour: str) -> FeatureClass:
    last = upper - 1
    if math.isinf(upper):
        label = LocalizedText(
            vi=f"Từ {number_vi(lower)} bản ghi", en=f"{number_en(lower)} records and more"
        )
    elif last == lower:
        plural = "s" * (lower != 1)
        label = LocalizedText(
            vi=f"{number_vi(lower)} bản ghi", en=f"{number_en(lower)} record{plural}"
        )
    else:
        label = LocalizedText(
            vi=f"{number_vi(lower)}–{number_vi(last)} bản ghi",
            en=f"{number_en(lower)}–{number_en(last)} records",
        )
    return FeatureClass(label, colour, 0.5, lower=lower, upper=upper)


def _clusters() -> Classification:
    """Points that a tile gathers, by how many they are."""
    tops = [*list(_CLUSTER_SIZES_PX)[1:], math.inf]
    classes = (
        replace(_hex_class(least, top, "#455a64"), size_px=size)
        for (least, size), top in zip(_CLUSTER_SIZES_PX.items(), tops, strict=True)
    )
    return Classification(
        kind=ClassificationKind.RANGES,
        shape=FeatureShape.CIRCLE,
        field=HEX_FIELD,
        classes=tuple(classes),
        other=None,
        opacity=0.75,
        outline="#ffffff",
        text=HEX_FIELD,
    )


def _kind(style: Style) -> ClassificationKind:
    if not style.classes:
        return ClassificationKind.SINGLE
    return (
        ClassificationKind.RANGES
        if style.classes[0].at_least is not None
        else ClassificationKind.VALUES
    )


def _classes(style: Style, kind: ClassificationKind) -> tuple[FeatureClass, ...]:
    if kind is ClassificationKind.RANGES:
        bounds = [style_class.at_least or 0.0 for style_class in style.classes]
        spans = pairwise([*bounds, math.inf])
        return tuple(
            _class(style, style_class, *span)
            for style_class, span in zip(style.classes, spans, strict=True)
        )
    return tuple(_class(style, style_class) for style_class in style.classes)


def _class(
    style: Style, style_class: StyleClass, lower: float = -math.inf, upper: float = math.inf
) -> FeatureClass:
    size = style_class.size_px or style.size_px
    return FeatureClass(
        style_class.label, style_class.colour, size, style_class.value, lower, upper
    )


def _other(layer: Layer, kind: ClassificationKind) -> FeatureClass:
    """The features in no class; where there are no classes, all, by the title of the layer."""
    style = layer.style
    label = layer.title if kind is ClassificationKind.SINGLE else style.label
    return FeatureClass(label, style.colour, style.size_px)


def _is_closed(layer: Layer, kind: ClassificationKind) -> bool:
    """True where every value that the field may have is in a class, numbers being 0 or more."""
    if kind is ClassificationKind.SINGLE:
        return False
    field = layer.public_fields[layer.style.field or ""]
    if kind is ClassificationKind.RANGES:
        return field.required and (layer.style.classes[0].at_least or 0) <= 0
    values = {True, False} if field.type is FieldType.BOOLEAN else set(field.values or ())
    listed = {style_class.value for style_class in layer.style.classes}
    return field.required and bool(values) and values <= listed


def _holds(
    feature_class: FeatureClass, kind: ClassificationKind, value: str | bool | float | None
) -> bool:
    if kind is ClassificationKind.RANGES:
        return isinstance(value, int | float) and feature_class.lower <= value < feature_class.upper
    return (
        value is not None
        and feature_class.value == value
        and type(feature_class.value) is type(value)
    )


CLUSTERS = _clusters()
