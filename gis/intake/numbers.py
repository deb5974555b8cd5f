"""Parser of numbers by a declared or proven notation: decimal comma or point, grouped or not."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadInput

_MINUS = str.maketrans({"−": "-", "–": "-"})
_BLANKS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1  # of PostgreSQL's bigint
# Beyond it a double skips whole numbers (IEEE 754), and Excel keeps 15 digits: 1.23457E+17.
EXACT_IN_DOUBLE = 2**53
_MAX_DIGITS = 19  # of a bigint
_MAX_NUMBER = sys.float_info.max
_NEUTRAL = re.compile(r"[+-]?\d+")
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
# In the words of RE2. At most fifteen digits: a double holds them all.
_PLAIN_COLUMN = r"\A-?[0-9]{1,15}(\.[0-9]{1,15})?\z"
_PLAIN_AMBIGUOUS = r"\A-?[1-9][0-9]{0,2}\.[0-9]{3}\z"
_LEAST_GROUPED = 1000
_SHAPE = {  # of a number, for each sign of the fraction
    "point": re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?"),
    "comma": re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d*)?(?:[eE][+-]?\d+)?"),
}


class Notation(StrEnum):
    """Notations of fractions; the values are those of `format` in a layer file."""

    DECIMAL_COMMA = "decimal_comma"
    DECIMAL_POINT = "decimal_point"


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """The numbers of a column; NaN where there is none or it is a fault.

    `faults` maps 0-based rows to messages. `notation` is None when the values did not need one
    (whole numbers); `proof` is the value that proved it.
    """

    numbers: NDArray[np.float64]
    faults: dict[int, str]
    notation: Notation | None
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class IntegerColumn:
    """The whole numbers of a column, exact; None where there is none or it is a fault.

    `faults`, `notation` and `proof` are as those of a NumberColumn.
    """

    integers: list[int | None]
    faults: dict[int, str]
    notation: Notation | None
    proof: str | None = None


def parse_numbers(
    values: Iterable[str | None],
    format: str | None = None,
    *,
    column: str = "number",
    at_most: float | None = None,
    deciding: Sequence[str] | None = None,
) -> NumberColumn:
    """Numbers of a column of text.

    `format` is `decimal_comma`, `decimal_point` or None: then a value must prove the notation
    (`1.234,5`, `12,5`, `1.234.567`, `0.123`), or none may need it. Empty values give NaN and no
    fault. `at_most` is the greatest magnitude that can be meant (180 of degrees): it proves that
    `103.972` has a decimal point. `deciding`: the values are a part of a column of which these
    decide (see `deciding_numbers`).

    Raises BadInput for another `format`; AmbiguousInput for a column whose values with a sign are
    all like `1.234`, and for one whose values prove both notations.
    """
    values = list(values)
    if deciding is None and format is None:
        deciding = deciding_numbers(values, at_most=at_most)
    notation, proof = _notation(deciding or (), format, column, at_most)
    if notation is not Notation.DECIMAL_COMMA:
        plain = _plain_column(values)
        if plain is not None:
            return NumberColumn(plain[1], {}, notation, proof)
    texts = [_clean(value) for value in values]
    distinct = sorted({text for text in texts if text})
    parsed = {text: _number(text, notation) for text in distinct}
    wrong = {
        text: fault for text, number in parsed.items() if (fault := _fault(text, number, notation))
    }
    faults = {row: wrong[text] for row, text in enumerate(texts) if text in wrong}
    numbers = [None if text in wrong else parsed.get(text) for text in texts]
    return NumberColumn(np.array(numbers, dtype=np.float64), faults, notation, proof)


def parse_integers(
    values: Iterable[str | None],
    format: str | None = None,
    *,
    column: str = "number",
    deciding: Sequence[str] | None = None,
) -> IntegerColumn:
    """Whole numbers of a column of text, each with all its digits.

    As `parse_numbers`, but a value that only one notation makes whole proves it: `1,765` is 1765.
    A number beyond a bigint is a fault of its row, and so is one beyond 2^53 that is written as a
    fraction or a power of ten: its last digits are lost. Raises BadInput, AmbiguousInput.
    """
    texts = [_clean(value) for value in values]
    distinct = sorted({text for text in texts if text})
    decisive = distinct if deciding is None else deciding
    notation, proof = _notation(decisive, format, column, whole=True)
    parsed = {text: _integer(text, notation) for text in distinct}
    results = [parsed[text] if text else None for text in texts]
    faults = {row: result for row, result in enumerate(results) if isinstance(result, str)}
    integers = [result if isinstance(result, int) else None for result in results]
    return IntegerColumn(integers, faults, notation, proof)


def deciding_numbers(
    values: Iterable[str | None], *, at_most: float | None = None, whole: bool = False
) -> list[str]:
    """The few values of a column that decide how it is read: the least of each kind.

    A kind are those that prove one notation, and those that fit both. Those of a whole column are
    those of what its parts give.
    """
    values = list(values)
    plain = None if whole or (at_most or 0) >= _LEAST_GROUPED else _plain_column(values)
    if plain is not None:
        return _deciding_plain(*plain, at_most)
    kinds: dict[Notation | str, str] = {}
    for text in sorted({text for text in map(_clean, values) if text}):
        kind = proven_notation(text, at_most, whole=whole)
        if kind is not None:
            kinds.setdefault(kind, text)
        elif _AMBIGUOUS.fullmatch(text):
            kinds.setdefault("ambiguous", text)
    return list(kinds.values())


def _plain_column(values: Sequence[str | None]) -> tuple[Any, NDArray[np.float64]] | None:
    """An Arrow array of texts that are all empty or like `-103.97`, and their numbers (NaN where
    empty); None where another is among them. The usual case, which needs no look at each.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pa.array(values, pa.string())
    except (pa.ArrowException, TypeError):
        return None
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    if not pc.all(pc.match_substring_regex(texts, _PLAIN_COLUMN), min_count=0).as_py():
        return None
    numbers = pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    return texts, np.asarray(numbers, np.float64)


def _deciding_plain(texts: Any, numbers: NDArray[np.float64], at_most: float | None) -> list[str]:
    """As `deciding_numbers`, of plain values: a point proves itself where nothing is grouped."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pointed = pc.match_substring_regex(texts, r"\.")
    if at_most is None:
        ambiguous = pc.match_substring_regex(texts, _PLAIN_AMBIGUOUS)
        kinds = [pc.and_(pointed, pc.invert(ambiguous)), ambiguous]
    else:
        with np.errstate(invalid="ignore"):
            kinds = [pc.and_(pointed, pa.array(np.abs(numbers) <= at_most))]
    least = [pc.min(pc.filter(texts, kind)).as_py() for kind in kinds]
    return [text for text in least if text is not None]


def _notation(
    distinct: Sequence[str],
    format: str | None,
    column: str,
    at_most: float | None = None,
    *,
    whole: bool = False,
) -> tuple[Notation | None, str | None]:
    """The notation that is declared, else the one that the values prove."""
    if format is not None:
        return _parse_notation(format), None
    return prove_notation(distinct, column, at_most, whole=whole)


def prove_notation(
    distinct: Sequence[str], column: str, at_most: float | None = None, *, whole: bool = False
) -> tuple[Notation | None, str | None]:
    """The notation that the values prove, with the value that proves it; or AmbiguousInput."""
    proofs = {proven_notation(text, at_most, whole=whole): text for text in reversed(distinct)}
    proofs.pop(None, None)
    if len(proofs) == 2:
        raise AmbiguousInput(
            f"cột “{column}” có cả hai cách viết: “{proofs[Notation.DECIMAL_COMMA]}” dùng dấu "
            f"phẩy thập phân, “{proofs[Notation.DECIMAL_POINT]}” dùng dấu chấm; {_answer()} / "
            f"column “{column}” holds values that prove opposite notations; say which is right, "
            "and the others become faults of their rows"
        )
    if proofs:
        return next(iter(proofs.items()))
    either = [text for text in distinct if _AMBIGUOUS.fullmatch(text)]
    if either:
        raise AmbiguousInput(
            f"cột “{column}”: dấu trong số có thể là dấu thập phân hoặc dấu nhóm nghìn, ví dụ "
            f"{_both_readings(either[0])}; {_answer()} / "
            f"column “{column}”: its values can be read with a decimal sign or with a sign that "
            "groups thousands; say which it is"
        )
    return None, None


def proven_notation(
    text: str, at_most: float | None = None, *, whole: bool = False
) -> Notation | None:
    """The only notation that a value admits; None when it admits both or none.

    `whole`: a whole number is meant, so that of two readings the whole one counts.
    """
    bounded = at_most is not None or whole
    if _NEUTRAL.fullmatch(text) or (not bounded and _AMBIGUOUS.fullmatch(text)):
        return None
    numbers = {notation: _number(text, notation) for notation in Notation}
    fits = {notation: number for notation, number in numbers.items() if _is_within(number, at_most)}
    if whole:
        fits = {
            notation: n for notation, n in fits.items() if n is not None and n.is_integer()
        } or fits
    return next(iter(fits)) if len(fits) == 1 else None


def _is_within(number: float | None, at_most: float | None) -> bool:
    return number is not None and (at_most is None or abs(number) <= at_most)


def _parse_notation(format: str) -> Notation:
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


def _plain(text: str, notation: Notation | None) -> str | None:
    """The number without groups and with a decimal point; None for what is no number."""
    sign, group = (",", ".") if notation is Notation.DECIMAL_COMMA else (".", ",")
    shape = _SHAPE["comma" if sign == "," else "point"]
    if not shape.fullmatch(text) or not any(char.isdigit() for char in text):
        return None
    if _grouped_from_zero(text, group):
        return None
    return text.replace(group, "").replace(sign, ".")


def _number(text: str, notation: Notation | None) -> float | None:
    plain = _plain(text, notation)
    try:
        return None if plain is None else float(plain)
    except ValueError:
        return None


def _integer(text: str, notation: Notation | None) -> int | str:
    """The whole number, or a message that says what is wrong with it."""
    if _NEUTRAL.fullmatch(text) and len(text) < _MAX_DIGITS:
        return int(text)
    plain, rough = _plain(text, notation), _number(text, notation)
    if plain is None or rough is None:
        return _not_a_number(text, notation)
    if abs(rough) > 2 * MAX_INTEGER:  # before it is written out, digit by digit
        return _integer_out_of_range(text)
    try:
        number = Decimal(plain)
    except InvalidOperation:  # an exponent of twenty digits
        number = Decimal("0.1")
    if number != number.to_integral_value():
        return f"“{text}”: phải là số nguyên / is not a whole number"
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        return _integer_out_of_range(text)
    if abs(number) >= EXACT_IN_DOUBLE and not _NEUTRAL.fullmatch(plain):
        return (
            f"“{text}”: các chữ số cuối đã mất; hãy ghi đủ mọi chữ số / "
            "has lost its last digits; write the whole number with all of them"
        )
    return int(number)


def _grouped_from_zero(text: str, group: str) -> bool:
    """True for `0.123`, which groups nothing: nobody writes a thousand as 0.123."""
    return group in text and text.lstrip("+-").startswith("0")


def _fault(text: str, number: float | None, notation: Notation | None) -> str | None:
    """The message for a value that a double does not hold, None where it does."""
    if number is None:
        return _not_a_number(text, notation)
    if abs(number) > _MAX_NUMBER:
        return (
            f"“{text}”: vượt giới hạn ±{_MAX_NUMBER:.4g} của số thực / "
            f"is beyond ±{_MAX_NUMBER:.4g}, the limit of a number"
        )
    if abs(number) < EXACT_IN_DOUBLE:
        return None
    plain = _plain(text, notation) or ""
    if _NEUTRAL.fullmatch(plain) and int(plain) != int(number):
        return (
            f"“{text}”: số thực không giữ được mọi chữ số; hãy khai báo trường là integer hoặc "
            "text / a number does not hold all its digits (beyond 2^53); declare the field as "
            "integer or text"
        )
    return None


def _integer_out_of_range(text: str) -> str:
    return (
        f"“{text}”: vượt giới hạn của số nguyên / is beyond the limits of a whole number, "
        f"{MIN_INTEGER} … {MAX_INTEGER}"
    )


def _not_a_number(text: str, notation: Notation | None) -> str:
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
