"""Units of measure in which sources give their numbers, and those that layers declare (UCUM).

A closed table: each unit has its dimension, and its size in the unit of its dimension by the
International System (BIPM, SI Brochure, 9th edition, tables 2 to 8); both are exact.
"""

import re
from decimal import Context, Decimal
from fractions import Fraction

from gis.errors import BadInput

_F = Fraction
# Dimension, factor and offset: value · factor + offset is the value in the SI unit.
_TABLE: dict[str, tuple[str, Fraction, Fraction]] = {
    name: (dimension, _F(size), _F(0))
    for dimension, sizes in {
        "length": {"mm": "0.001", "cm": "0.01", "dm": "0.1", "m": "1", "km": "1000"},
        "area": {"cm2": "0.0001", "m2": "1", "har": "10000", "km2": "1000000"},
        "volume": {"L": "0.001", "m3": "1", "dam3": "1000", "hm3": "1000000", "km3": "1000000000"},
        "flow": {"L/s": "0.001", "m3/s": "1", "m3/h": "1/3600", "m3/d": "1/86400"},
        "speed": {"m/s": "1", "km/h": "1000/3600", "[kn_i]": "1852/3600"},
        "rain intensity": {"mm/h": "1", "mm/d": "1/24", "mm/min": "60"},
        "pressure": {"Pa": "1", "hPa": "100", "kPa": "1000", "mbar": "100", "bar": "100000"},
        "power": {"W": "1", "kW": "1000", "MW": "1000000", "GW": "1000000000"},
        "energy": {"kW.h": "1", "MW.h": "1000", "GW.h": "1000000"},
        "mass": {"g": "0.001", "kg": "1", "t": "1000"},
        "time": {"s": "1", "min": "60", "h": "3600", "d": "86400"},
        "ratio": {"1": "1", "%": "0.01", "[ppth]": "0.001"},
    }.items()
    for name, size in sizes.items()
} | {
    "K": ("temperature", _F(1), _F(0)),
    "Cel": ("temperature", _F(1), _F("273.15")),
    "[degF]": ("temperature", _F(5, 9), _F("459.67") * _F(5, 9)),
}
# As people write them.
_SPELLINGS = {
    "ha": "har", "l": "L", "l/s": "L/s", "kn": "[kn_i]", "kt": "[kn_i]", "knot": "[kn_i]",
    "°C": "Cel", "degC": "Cel", "°F": "[degF]", "degF": "[degF]", "‰": "[ppth]", "kWh": "kW.h",
    "MWh": "MW.h", "GWh": "GW.h",
}  # fmt: skip
_POINT = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,2})?")
# With a decimal comma beyond doubt: `1,234` might be a thousand and more.
_COMMA = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+),(?!\d{3}$)\d+")
_DIGITS = Context(prec=15)


def unit_code(name: str) -> str:
    """The UCUM code of a unit as people write it, such as `m³/s` or `ha`; others as they are."""
    plain = name.strip().replace("²", "2").replace("³", "3").replace("^", "")
    return _SPELLINGS.get(plain, plain)


def known_units() -> list[str]:
    """The units between which there are conversions."""
    return [*_TABLE, *_SPELLINGS]


def check_units(source: str, target: str) -> None:
    """Raises BadInput unless numbers of one unit can be had in the other."""
    for name in (source, target):
        if unit_code(name) not in _TABLE:
            raise BadInput(f"`{name}` is none of the units {', '.join(known_units())}")
    dimensions = [_TABLE[unit_code(name)][0] for name in (source, target)]
    if dimensions[0] != dimensions[1]:
        raise BadInput(
            f"`{source}` is a {dimensions[0]} and `{target}` a {dimensions[1]}: take units of one "
            "kind"
        )


def converted(text: str, source: str, target: str) -> str:
    """A number in another unit, in the notation in which it was written.

    It is exact, or to 15 digits where no decimal is. What is no such number, or might be two of
    them (`1,234`), gets its unit instead, so that it is a fault of its record, and no number in the
    wrong unit.
    """
    _, factor, offset = _TABLE[unit_code(source)]
    _, to_factor, to_offset = _TABLE[unit_code(target)]
    shift = (offset - to_offset) / to_factor
    return _line(text, factor / to_factor, shift, otherwise=source)


def scaled(text: str, factor: float) -> str:
    """A number times a factor, as `converted` reads and writes it."""
    return _line(text, Fraction(repr(factor)), Fraction(0), otherwise=f"× {factor:g}")


def _line(text: str, factor: Fraction, shift: Fraction, *, otherwise: str) -> str:
    """The number · factor + shift; `otherwise` is added to what is no number."""
    number = text.strip()
    is_comma = _COMMA.fullmatch(number) is not None
    if not (is_comma or _POINT.fullmatch(number)):
        return f"{number} {otherwise}" if any(map(str.isdigit, number)) else text
    value = Fraction(number.replace(".", "").replace(",", ".") if is_comma else number)
    words = _decimal(value * factor + shift)
    return words.replace(".", ",") if is_comma else words


def _decimal(value: Fraction) -> str:
    """A fraction as a decimal with a point: exact where it ends, else of 15 digits."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest == 1:
        exact = Decimal(int(value * 10**places)).scaleb(-places, Context(prec=400))
        return format(exact, "f")
    return format(_DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator)), "f")
