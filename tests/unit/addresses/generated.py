"""Forms of addresses for every unit, each with what it may mean, found by brute force.

The meaning of a form is computed here from the list of units alone, by comparing names; nothing
of the resolver is used. A form is clear when all units it fits end in one commune of today.

Reading rules. Names are compared with their diacritics when the form is written with them, else
without. A typed name means units of that type when there are any of that name, else of any type.
A former name counts only where no commune of today, and no ward of the district said, bears the
name. A district asks for an old ward in it, and failing that, or of a bare name, for a commune made
from its wards. The province of today fits every unit,
the former one only wards that were in it. A bare name that a province has too is the province's.
A name without type or district that is a district's or a province's name too means all communes,
but for the town that a district is named after, with its province.
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from gis.boundaries.units import Level, Unit, UnitHistory
from gis.text import search_key, without_diacritics

SHORT = {"Phường": "P.", "Xã": "X.", "Thị trấn": "TT.", "Huyện": "H.", "Thị xã": "TX.",
         "Thành phố": "TP."}  # fmt: skip
ENGLISH = {"Phường": "Ward", "Xã": "Commune", "Thị trấn": "Town", "Huyện": "District",
           "Thị xã": "Town", "Thành phố": "City"}  # fmt: skip
TODAY = "Lào Cai"


@dataclass(frozen=True)
class Form:
    """A text, the unit it was made from, the communes that it may mean (codes)."""

    label: str
    text: str
    unit: Unit
    meanings: frozenset[str]

    @property
    def clear(self) -> bool:
        return len(self.meanings) == 1


@dataclass(frozen=True)
class Said:
    """What a form says: name, and where said the type, the district's and the province's name."""

    name: str
    kind: str = ""
    district: str = ""
    province: str = ""
    marked: bool = True
    era: str = ""


class BruteForce:
    """Every unit of the history with its names, compared one by one."""

    def __init__(self, history: UnitHistory) -> None:
        communes = [unit for unit in history.units if unit.level is Level.COMMUNE]
        self.upper = {
            unit.code: unit
            for unit in history.units
            if unit.level is not Level.COMMUNE and unit.valid_to is not None
        }
        self.old = [unit for unit in communes if unit.valid_to is not None]
        self.new = [unit for unit in communes if unit.valid_to is None]
        self.becomes: dict[str, set[str]] = {}
        for change in history.changes:
            self.becomes.setdefault(change.old, set()).add(change.new)
        self._names = [(unit, *row) for unit in communes for row in _names(unit)]
        self._upper_keys = {_key(unit.name) for unit in self.upper.values()}

    def meanings(self, said: Said) -> frozenset[str]:
        """The communes of today that the form may mean; all of a district's for its name."""
        if not said.kind and not said.district and _key(said.name) in self._upper_keys:
            return self._seat(said) or frozenset(unit.code for unit in self.new)
        fits = [row for row in self._names if self._fits_name(said, row[1], row[4])]
        fits = self._in_district(fits, said)
        fits = [row for row in fits if self._in_province(row[0], said.province)]
        fits = [row for row in fits if _of_era(row[0], said.era)]
        right_kind = [row for row in fits if row[2] == said.kind] or fits
        return frozenset(code for row in _present(right_kind, said) for code in self.today(row[0]))

    def _seat(self, said: Said) -> frozenset[str]:
        towns = [u for u in self.old if u.kind == "Thị trấn" and _key(u.name) == _key(said.name)]
        same = towns and said.province and not said.era
        return frozenset(code for town in towns for code in self.today(town) if same)

    def today(self, unit: Unit) -> set[str]:
        return {unit.code} if unit.valid_to is None else self.becomes[unit.code]

    def district(self, ward: Unit) -> Unit:
        return self.upper[ward.parent or ""]

    def province(self, ward: Unit) -> Unit:
        return self.upper[self.district(ward).parent or ""]

    def _fits_name(self, said: Said, name: str, joined: str) -> bool:
        if said.marked and " " in name:
            return unicodedata.normalize("NFC", said.name).casefold() == name.casefold()
        return _key(said.name) == joined

    def _in_district(self, rows: list, said: Said) -> list:
        if not said.district:
            return rows
        old = [r for r in rows if r[0].valid_to and self.district(r[0]).name == said.district]
        new = [r for r in rows if not r[0].valid_to and self._was_in(r[0], said.district)]
        return [*old, *new] if not said.kind else old or new

    def _was_in(self, commune: Unit, district: str) -> bool:
        return any(
            commune.code in self.becomes[ward.code] and self.district(ward).name == district
            for ward in self.old
        )

    def _in_province(self, unit: Unit, province: str) -> bool:
        if province in ("", TODAY):
            return True
        return unit.valid_to is not None and self.province(unit).name == province


def _present(rows: list, said: Said) -> list:
    """Rows but those of former names, where these do not count."""
    present = [row for row in rows if not row[3]]
    counts = not said.district and not any(row[0].valid_to is None for row in present)
    return rows if counts else present or rows


def _of_era(unit: Unit, era: str) -> bool:
    return not era or (era == "new") == (unit.valid_to is None)


def _names(unit: Unit) -> Iterator[tuple[str, str, bool, str]]:
    """Name, type, whether it is a former one, key."""
    yield unit.name, unit.kind, False, _key(unit.name)
    for alias in unit.aliases:
        kind = next((k for k in SHORT if alias.startswith(k + " ")), "")
        name = alias.removeprefix(kind).strip()
        yield name, kind or unit.kind, True, _key(name)


def _key(name: str) -> str:
    return search_key(name).replace(" ", "").replace("y", "i")


def old_forms(brute: BruteForce) -> Iterator[Form]:
    for ward in brute.old:
        district, province = brute.district(ward), brute.province(ward)
        yield from _forms_of_ward(brute, ward, district, province)


def _forms_of_ward(brute: BruteForce, ward: Unit, district: Unit, province: Unit) -> Iterator[Form]:
    kind, name, d, p = ward.kind, ward.name, district.name, province.name
    full = f"{kind} {name}, {district.full_name}, {province.full_name}"
    whole = Said(name, kind, d, p)
    plain = Said(name, kind, d, p, marked=False)
    texts = [
        ("full", full, whole),
        ("no marks, no commas", without_diacritics(full).replace(",", "").lower(), plain),
        ("abbreviated", f"{SHORT[kind]}{name}, {SHORT[district.kind]} {d}, {p}", whole),
        ("no province", f"{kind.lower()} {name}, {district.full_name.lower()}", whole),
        ("bare", f"{name}, {d}", Said(name, "", "", d) if d == p else Said(name, "", d)),
        ("bare, no marks", without_diacritics(f"{name} {d} {p}"), Said(name, "", d, p, False)),
        ("province of today", f"{kind} {name}, {d}, tỉnh {TODAY}", Said(name, kind, d, TODAY)),
        ("capitals", full.upper(), whole),
        ("decomposed", unicodedata.normalize("NFD", full), whole),
        ("hyphens", full.replace(", ", " - "), whole),
        ("village", f"Số nhà 12, tổ 5, thôn Trung Tâm, {full}, Việt Nam", whole),
        ("no district", f"{kind} {name}, tỉnh {p}", Said(name, kind, "", p)),
        ("type alone", f"{kind} {name}", Said(name, kind)),
        ("no district, today", f"{name}, tỉnh {TODAY}", Said(name, "", "", TODAY)),
        ("joined", search_key(full).replace(" ", ""), plain),
        ("English", without_diacritics(f"{name} {ENGLISH[kind]}, {d} {ENGLISH[district.kind]}, "
                                       f"{p} Province, Vietnam"), plain),
        ("upwards", f"{province.full_name}, {district.full_name}, {kind} {name}", whole),
        ("said to be old", f"{kind} {name} cũ, tỉnh {TODAY}",
         Said(name, kind, "", TODAY, era="old")),
    ]  # fmt: skip
    for label, text, said in texts:
        yield Form(label, text, ward, brute.meanings(said))


def new_forms(brute: BruteForce) -> Iterator[Form]:
    for commune in brute.new:
        yield from _forms_of_commune(brute, commune)


def _forms_of_commune(brute: BruteForce, commune: Unit) -> Iterator[Form]:
    kind, name = commune.kind, commune.name
    full = f"{commune.full_name}, tỉnh {TODAY}"
    whole = Said(name, kind, "", TODAY)
    plain = Said(name, kind, "", TODAY, marked=False)
    texts = [
        ("full", full, whole),
        ("no marks", without_diacritics(full).lower(), plain),
        ("abbreviated", f"{SHORT[kind]} {name}, T. {TODAY}", whole),
        ("type alone", f"{kind.lower()} {name}", whole),
        ("capitals", full.upper(), whole),
        ("decomposed", unicodedata.normalize("NFD", full), whole),
        ("village", f"Bản 3, {full}, Việt Nam", whole),
        ("joined", search_key(full).replace(" ", "").replace(",", ""), plain),
        ("English", without_diacritics(f"{name} {ENGLISH[kind]}, {TODAY} Province"), plain),
        ("said to be new", f"{kind} {name} (mới), {TODAY}", Said(name, kind, era="new")),
    ]
    for label, text, said in texts:
        yield Form(label, text, commune, brute.meanings(said))


def misspelt_forms(brute: BruteForce, seed: int = 1) -> Iterator[Form]:
    """Old wards with one letter of the name wrong, and what the wrong name may mean by itself."""
    dice = random.Random(seed)
    for ward in brute.old:
        district, province = brute.district(ward), brute.province(ward)
        for pattern, marked in (
            ("{kind} {name}, {district}, {province}", True),
            ("{kind} {name}, {district}", False),
            ("{bare}, {where}, {short}", True),
        ):
            wrong = one_letter_wrong(ward.name, dice)
            text = pattern.format(
                kind=ward.kind, name=wrong, district=district.full_name, bare=wrong,
                province=province.full_name, where=district.name, short=province.name,
            )  # fmt: skip
            other = brute.meanings(Said(wrong, "", "", marked=False))
            text = text if marked else without_diacritics(text).lower()
            yield Form("misspelt", text, ward, frozenset(brute.today(ward)) | other)


def one_letter_wrong(name: str, dice: random.Random) -> str:
    """One letter lost, doubled, changed, or swapped with the next."""
    at = dice.choice([i for i, char in enumerate(name) if char.isalpha()])
    letter = dice.choice("abcdeghiklmnopqrstuvxy")
    swap = name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]
    options = [name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:],
               name[:at] + letter + name[at + 1 :], swap]  # fmt: skip
    return dice.choice(options)
