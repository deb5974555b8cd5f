"""The legend of a layer, from the one classification that its map has.

`legend(layer, lang)` is that of its features, `hex_legend(layer, lang)` that of its hexes.
"""

from dataclasses import dataclass
from typing import Literal

from layers.definition.model import Layer, LocalizedText
from layers.style.classification import Classification, FeatureShape, classify, hex_classification

type Language = Literal["vi", "en"]


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of a legend. `size_px`: radius of a circle, width of a line or of an outline."""

    label: str
    colour: str
    size_px: float
    shape: FeatureShape
    opacity: float
    outline: str | None


def legend(layer: Layer, lang: Language = "vi") -> list[LegendEntry]:
    """The classes of a layer's features, in the order of its file; what is in none comes last."""
    return _entries(classify(layer), lang)


def hex_legend(layer: Layer, lang: Language = "vi", min_count: int = 1) -> list[LegendEntry]:
    """The classes of counts by hex, the fewest first; `min_count` is the setting."""
    return _entries(hex_classification(layer, min_count), lang)


def in_language(words: LocalizedText, lang: Language) -> str:
    return words.en if lang == "en" else words.vi


def _entries(classification: Classification, lang: Language) -> list[LegendEntry]:
    return [
        LegendEntry(
            in_language(feature_class.label, lang),
            feature_class.colour,
            feature_class.size_px,
            classification.shape,
            classification.opacity,
            classification.outline,
        )
        for feature_class in classification.entries
    ]
