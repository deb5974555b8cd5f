"""Numbers by declared or proven notation: decimal comma or point, grouped or not."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadInput, Question

_MINUS = str.maketrans({"−": "-", "–": "-"})
_BLANKS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
_NEUTRAL = re.compile(r"[+-]?\d+")
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_SHAPE = {  # of a number, for each sign of the fraction
    "point": re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?"),
    "comma": re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d*)?(?:[eE][+-]?\d+)?"),
}


class Notation(StrEnum):
    """How fractions are written; the names are those of `format` in a layer file."""

    DECIMAL_COMMA = "decimal_comma"
    DECIMAL_POINT = "decimal_point"


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """The numbers of a column; NaN where there is none or it is a fault.

    `faults` maps the 0-based row to what is wrong with its value. `notation` is None when the
    values did not need one (whole numbers); `proof` is the value that proved it.
    """

    numbers: NDArray[np.float64]
    faults: dict[int, str]
    notation: Notation | None
    proof: str | None = None


def parse_numbers(
    values: Iterable[str | None],
    format: str | None = None,
    *,
    column: str = "number",
    at_most: float | None = None,
) -> NumberColumn:
    """Numbers of a column of text.

    `format` is `decimal_comma`, `decimal_point` or None: then a value must prove the notation
    (`1.234,5`, `12,5`, `1.234.567`, `0.123`), or none may need it. Empty values give NaN and no
    fault. `at_most` is the greatest magnitude that can be meant (180 of degrees): it proves that
    `103.972` has a decimal point.

    Raises BadInput for another `format`; Question for a column of which every telling value is
    like `1.234`, and for one whose values prove both notations.
    """
    texts = [_clean(value) for value in values]
    distinct = sorted({text for text in texts if text})
    notation = None if format is None else _declared(format)
    proof = None
    if notation is None:
        notation, proof = prove_notation(distinct, column, at_most)
    parsed = {text: _number(text, notation) for text in distinct}
    faults = {
        row: _fault(text, notation)
        for row, text in enumerate(texts)
        if text and parsed[text] is None
    }
    numbers = [parsed[text] if text else None for text in texts]
    return NumberColumn(np.array(numbers, dtype=np.float64), faults, notation, proof)


def prove_notation(
    distinct: Sequence[str], column: str, at_most: float | None = None
) -> tuple[Notation | None, str | None]:
    """The notation that the values prove, with the value that proves it; or a Question."""
    proofs = {proven_notation(text, at_most): text for text in reversed(distinct)}
    proofs.pop(None, None)
    if len(proofs) == 2:
        raise Question(
            f"cột “{column}” có cả hai cách viết: “{proofs[Notation.DECIMAL_COMMA]}” dùng dấu "
            f"phẩy thập phân, “{proofs[Notation.DECIMAL_POINT]}” dùng dấu chấm; {_answer()} / "
            f"column “{column}” holds values that prove opposite notations; say which is right, "
            "and the others become faults of their rows"
        )
    if proofs:
        return next(iter(proofs.items()))
    either = [text for text in distinct if _AMBIGUOUS.fullmatch(text)]
    if either:
        raise Question(
            f"cột “{column}”: dấu trong số có thể là dấu thập phân hoặc dấu nhóm nghìn, ví dụ "
            f"{_both_readings(either[0])}; {_answer()} / "
            f"column “{column}”: its values can be read with a decimal sign or with a sign that "
            "groups thousands; say which it is"
        )
    return None, None


def proven_notation(text: str, at_most: float | None = None) -> Notation | None:
    """The only notation that a value admits; None when it admits both or none."""
    if _NEUTRAL.fullmatch(text) or (at_most is None and _AMBIGUOUS.fullmatch(text)):
        return None
    fits = [one for one in Notation if _is_within(_number(text, one), at_most)]
    return fits[0] if len(fits) == 1 else None


def _is_within(number: float | None, at_most: float | None) -> bool:
    return number is not None and (at_most is None or abs(number) <= at_most)


def _declared(format: str) -> Notation:
    if format not in set(Notation):
        raise BadInput(
            f"không có dạng số / there is no number format “{format}”; dùng / use: "
            + ", ".join(Notation)
        )
    return Notation(format)


def _clean(value: str | None) -> str:
    if not isinstance(value, str):
        return ""
    return _BLANKS.sub("", value.strip().translate(_MINUS))


def _number(text: str, notation: Notation | None) -> float | None:
    sign, group = (",", ".") if notation is Notation.DECIMAL_COMMA else (".", ",")
    shape = _SHAPE["comma" if sign == "," else "point"]
    if not shape.fullmatch(text) or not any(char.isdigit() for char in text):
        return None
    if _grouped_from_zero(text, group):
        return None
    try:
        return float(text.replace(group, "").replace(sign, "."))
    except ValueError:
        return None


def _grouped_from_zero(text: str, group: str) -> bool:
    """`0.123` groups nothing: nobody writes a thousand as 0.123."""
    return group in text and text.lstrip("+-").startswith("0")


def _fault(text: str, notation: Notation | None) -> str:
    if notation is None:
        return f"“{text}”: không phải số / is not a number"
    right = (
        "1.234,5 hoặc (or) 1234,5"
        if notation is Notation.DECIMAL_COMMA
        else "1,234.5 hoặc (or) 1234.5"
    )
    return f"“{text}”: không phải số / is not a number with {notation}; {right}"


def _both_readings(text: str) -> str:
    mark = "." if "." in text else ","
    return f"“{text}” là {text.replace(mark, '')} hay (or) {text.replace(mark, '.')}"


def _answer() -> str:
    return (
        "hãy khai báo --number-format decimal_comma hoặc (or) --number-format decimal_point, "
        "hay `format` của trường trong tệp lớp (in the layer file)"
    )
