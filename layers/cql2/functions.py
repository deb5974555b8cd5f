"""Descriptions of the functions that filters may call beside those of CQL2."""

from dataclasses import dataclass
from typing import Any, Final

from layers.cql2.distance import FARTHEST_M
from layers.definition.model import LocalizedText


@dataclass(frozen=True)
class FilterArgument:
    """An argument; `types` are those of Features Part 3: geometry, string, number, boolean."""

    title: LocalizedText
    types: tuple[str, ...]
    description: LocalizedText


@dataclass(frozen=True)
class FilterFunction:
    name: str
    description: LocalizedText
    arguments: tuple[FilterArgument, ...]
    returns: str = "boolean"


def _text(vi: str, en: str) -> LocalizedText:
    return LocalizedText(vi=vi, en=en)


_METRES = FilterArgument(
    _text("khoảng cách", "distance"),
    ("number",),
    _text(f"mét, từ 0 đến {FARTHEST_M:g}", f"metres, from 0 to {FARTHEST_M:g}"),
)
FUNCTIONS: Final = (
    FilterFunction(
        "S_DWITHIN",
        _text(
            "Đúng khi hai hình cách nhau không quá số mét đã cho (trắc địa, WGS 84).",
            "True where two geometries are at most so many metres apart (geodesic, WGS 84).",
        ),
        (
            FilterArgument(
                _text("hình", "geometry"),
                ("geometry",),
                _text("thuộc tính hình học, thường là geom", "a geometry property, mostly geom"),
            ),
            FilterArgument(
                _text("hình khác", "other geometry"),
                ("geometry",),
                _text("chẳng hạn POINT(103.97 22.48)", "such as POINT(103.97 22.48)"),
            ),
            _METRES,
        ),
    ),
    FilterFunction(
        "IN_LAYER",
        _text(
            "Đúng khi hình cách một đối tượng nào đó của lớp khác không quá số mét đã cho; lớp đó "
            "phải là lớp bạn được đọc. 0 mét: có điểm chung. Bản ghi không có hình "
            "thì không gần gì.",
            "True where the geometry is at most so many metres from any feature of another layer, "
            "which you may read. 0 metres: they share a point. A record without a geometry is near "
            "nothing.",
        ),
        (
            FilterArgument(
                _text("hình", "geometry"),
                ("geometry",),
                _text("hình học của lớp được lọc: geom", "that of the layer filtered: geom"),
            ),
            FilterArgument(
                _text("lớp", "layer"),
                ("string",),
                _text("mã của lớp khác, chẳng hạn 'landslides'", "the other, such as 'landslides'"),
            ),
            _METRES,
            FilterArgument(
                _text("điều kiện", "predicate"),
                ("boolean",),
                _text(
                    "không bắt buộc: điều kiện trên thuộc tính của lớp khác",
                    "may be left out: a predicate on the properties of the other layer",
                ),
            ),
        ),
    ),
)


def functions_in(language: str) -> list[dict[str, Any]]:
    """The functions as /functions has them, described in a language."""
    return [
        {
            "name": each.name,
            "description": getattr(each.description, language),
            "arguments": [
                {
                    "title": getattr(argument.title, language),
                    "type": list(argument.types),
                    "description": getattr(argument.description, language),
                }
                for argument in each.arguments
            ],
            "returns": [each.returns],
        }
        for each in FUNCTIONS
    ]
