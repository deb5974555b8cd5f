"""Addresses beside `vietnamadminunits.convert_address`: how many a second, and how many right.

Run by `make bench`. Both read the same generated old addresses in one process on one core; the
package's online geocoder is switched off, so that neither uses a network. Prints a table; fails
when our resolver is not at least five times as fast.
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

sys.path.insert(0, str(Path(__file__).parents[1]))  # a wheel installs another `tests`
from tests.unit.addresses.generated import BruteForce, Form, old_forms

PROMISED = 5.0  # times as fast


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
    return 0 if times >= PROMISED else 1


if __name__ == "__main__":
    sys.exit(main())
