"""A small sound layer, to be changed in one word a test."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from layers.definition.catalogue import read_catalogue
from layers.definition.model import Layer

LAYERS = Path(__file__).parents[3] / "layers"
CATALOGUE = read_catalogue(LAYERS)

_WELLS: dict[str, Any] = {
    "id": "wells",
    "title": {"vi": "Giếng", "en": "Wells"},
    "description": {"vi": "Giếng khoan", "en": "Bored wells"},
    "department": {"vi": "Sở", "en": "Department"},
    "licence": "CC0-1.0",
    "geometry": "point",
    "source": {"connector": "file", "key": "number"},
    "fields": {
        "depth": {"type": "number", "unit": "m", "label": {"vi": "Độ sâu", "en": "Depth"}},
        "dry": {"type": "boolean", "label": {"vi": "Khô", "en": "Dry"}},
        "pipes": {"type": "integer", "label": {"vi": "Số ống", "en": "Pipes"}},
        "water": {
            "type": "text",
            "label": {"vi": "Nước", "en": "Water"},
            "values": {
                "good": {"vi": "Tốt", "en": "Good"},
                "bad": {"vi": "Xấu", "en": "Bad"},
            },
        },
    },
}


def wells(**words: Any) -> Layer:
    """The layer `wells`, with sections replaced."""
    return Layer.model_validate(wells_words(**words))


def wells_words(**words: Any) -> dict[str, Any]:
    return {**deepcopy(_WELLS), **words}


def a_class(number: int, **key: Any) -> dict[str, Any]:
    """A class whose colour and size tell it from all others."""
    return {
        "label": {"vi": f"Lớp {number}", "en": f"Class {number}"},
        "colour": f"#0000{number:02x}",
        "size_px": number + 1,
        **key,
    }
