"""Addresses beside `vietnamadminunits.convert_address`: how many a second, and how many right.

Run by `make bench`. Both read the same generated old addresses in one process on one core; the
package's online geocoder is switched off, so that neither uses a network. Prints a table, and how
many addresses a second have a place of a gazetteer of 100,000 names before them; fails when our
resolver is not at least five times as fast.
"""

import gc
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import vietnamadminunits
from vietnamadminunits.converter import converter_2025

from gis.boundaries.package_units import package_history
from gis.placing.addresses import AddressResolver
from gis.placing.gazetteer import Gazetteer, NamedPoint

sys.path.insert(0, str(Path(__file__).parents[1]))  # a wheel installs another `tests`
from tests.unit.addresses.generated import BruteForce, Form, old_forms

PROMISED = 5.0  # times as fast
NAMES = 100_000
_KINDS = {"village": "Thôn", "school": "Trường TH", "market": "Chợ", "bridge": "Cầu"}
_SYLLABLES = (
    "An Bình Cốc Lếu Nậm Lúc Mường Hum Tả Van Sa Pả Bản Hồ Lùng Phình Chải Ý Tý Trịnh Tường Quang "
    "Kim Phố Lu Gia Phú Xuân Giao Tằng Loỏng Minh Lương Khánh Yên"
).split()


@dataclass(frozen=True)
class Measured:
    """One reader's time and outcomes over all forms."""

    name: str
    seconds: float
    right: int
    wrong: int
    read: int

    @property
    def per_second(self) -> float:
        return self.read / self.seconds

    def line(self) -> str:
        silent = self.read - self.right - self.wrong
        shares = (100 * count / self.read for count in (self.right, self.wrong, silent))
        right, wrong, none = shares
        return f"{self.name:<34}{self.per_second:>10,.0f}{right:>9.2f}{wrong:>9.2f}{none:>9.2f}"


def measure(name: str, forms: list[Form], read: Callable[[str], str]) -> Measured:
    gc.collect()
    gc.freeze()  # neither pays for sweeping the other's tables
    started = time.process_time()
    answers = [read(form.text) for form in forms]
    seconds = time.process_time() - started
    pairs = [(form.meanings, code) for form, code in zip(forms, answers, strict=True) if code]
    right = sum(code in meanings for meanings, code in pairs)
    return Measured(name, seconds, right, len(pairs) - right, len(forms))


def package_reader() -> Callable[[str], str]:
    converter_2025.get_geo_location = lambda _address: None  # no network

    def read(text: str) -> str:
        try:
            unit = vietnamadminunits.convert_address(text)
        except (ValueError, KeyError):
            return ""
        return str(getattr(unit, "ward_code", "") or "")

    return read


def our_reader(resolver: AddressResolver) -> Callable[[str], str]:
    def read(text: str) -> str:
        commune = resolver.resolve(text).commune
        return commune.code if commune else ""

    return read


def places(forms: list[Form], chance: random.Random) -> list[NamedPoint]:
    """Places with made-up names, the n-th in the commune of the n-th form, over and over."""
    named = []
    for n in range(NAMES):
        kind = chance.choice(list(_KINDS))
        name = f"{_KINDS[kind]} {' '.join(chance.sample(_SYLLABLES, 3))}"
        lon, lat = 103.5 + chance.random(), 21.5 + chance.random()
        unit = min(forms[n % len(forms)].meanings)
        named.append(NamedPoint(name, kind, lon, lat, unit, "bench", "made up"))
    return named


def measure_with_places(forms: list[Form], resolver: AddressResolver) -> str:
    """One line: addresses that begin with a place of their commune."""
    named = places(forms, random.Random(16))
    gazetteer = Gazetteer(tuple(named))
    gazetteer.named("")  # makes the index
    texts = [f"{place.name}, {form.text}" for place, form in zip(named, forms, strict=False)]
    started = time.process_time()
    matches = [resolver.resolve(text, gazetteer=gazetteer) for text in texts]
    seconds = time.process_time() - started
    found = sum(match.lon is not None for match in matches)
    return (
        f"with a place of {NAMES:,} names: {len(texts) / seconds:,.0f} a second, "
        f"{100 * found / len(texts):.1f} % have its point"
    )


def main() -> int:
    history = package_history("15")
    forms = [form for form in old_forms(BruteForce(history)) if form.clear]
    random.Random(15).shuffle(forms)
    resolver = AddressResolver(history)
    ours = measure("gis.placing.addresses", forms, our_reader(resolver))
    theirs = measure("vietnamadminunits.convert_address", forms, package_reader())
    print(f"{len(forms):,} generated old addresses, one core")
    print(f"{'':<34}{'a second':>10}{'right %':>9}{'wrong %':>9}{'none %':>9}")
    print(ours.line())
    print(theirs.line())
    times = ours.per_second / theirs.per_second
    print(f"{times:.1f} times as fast (promised: {PROMISED:.0f})")
    print(measure_with_places(forms, resolver))
    return 0 if times >= PROMISED else 1


if __name__ == "__main__":
    sys.exit(main())
