"""Colours of a raster layer, for its pictures, its legend and QGIS alike."""

import math
from typing import TYPE_CHECKING

from layers.definition.raster import RasterLayer
from layers.style.classification import FeatureShape
from layers.style.legend import Language, LegendEntry, in_language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_SHADES = 2048


def raster_legend(layer: RasterLayer, lang: Language = "vi") -> list[LegendEntry]:
    """The classes of a raster, in the order of its file."""
    return [
        LegendEntry(
            in_language(each.label, lang),
            each.colour,
            0.5,
            FeatureShape.POLYGON,
            layer.style.opacity,
            None,
        )
        for each in layer.style.classes
    ]


def label_of(layer: RasterLayer, value: float) -> str | None:
    """The Vietnamese name of a value's class, where values are classes."""
    names = {each.value: each.label.vi for each in layer.style.classes if each.value is not None}
    return names.get(int(value)) if names else None


def colour(
    layer: RasterLayer, values: "NDArray[np.generic]", has_value: "NDArray[np.bool_]"
) -> "NDArray[np.uint8]":
    """Red, green, blue and alpha of pixels, shape (4, rows, columns).

    Transparent is what has no value or no class; what lies below the first bound has none.
    """
    import numpy as np

    table = np.array([_rgb(each.colour) for each in layer.style.classes], np.float64)
    picture = np.zeros((4, *values.shape), np.uint8)
    if layer.style.mixed:
        bounds = _bounds(layer)
        # Of so many shades that no eye tells two apart; one look-up a pixel instead of three sums.
        shades = np.linspace(bounds[0], bounds[-1], _SHADES)
        mixed = np.stack([np.interp(shades, bounds, channel) for channel in table.T])
        filled = np.where(has_value, values, bounds[0])
        scaled = (filled - bounds[0]) * ((_SHADES - 1) / (bounds[-1] - bounds[0]))
        number = np.clip(scaled, 0, _SHADES - 1).astype(np.intp)
        picture[:3] = np.rint(mixed).astype(np.uint8)[:, number]
        shown = has_value & (filled >= bounds[0])
    else:
        number = _class_numbers(layer, values)
        shown = has_value & (number >= 0)
        picture[:3] = table.astype(np.uint8)[np.maximum(number, 0)].transpose(2, 0, 1)
    picture[3] = np.where(shown, 255, 0)
    return picture


def _class_numbers(layer: RasterLayer, values: "NDArray[np.generic]") -> "NDArray[np.intp]":
    """Position of each pixel's class in the layer's file; -1 for none."""
    import numpy as np

    if layer.style.classes[0].value is None:
        # A bound as a pixel has it: 0.01 as float32 is a little less than 0.01.
        kind = values.dtype if values.dtype.kind == "f" else np.float64
        return np.searchsorted(np.array(_bounds(layer), kind), values, side="right") - 1
    listed = np.array([each.value for each in layer.style.classes])
    order = np.argsort(listed)
    place = np.minimum(np.searchsorted(listed[order], values), len(listed) - 1)
    return np.where(listed[order][place] == values, order[place], -1)


def _bounds(layer: RasterLayer) -> list[float]:
    """The lowest value of each class, where a class is a range."""
    return [-math.inf if each.at_least is None else each.at_least for each in layer.style.classes]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
