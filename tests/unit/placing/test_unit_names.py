"""A unit's code or name in a column of its own: read where one commune of today can be meant."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from gis.boundaries.package_units import package_history
from gis.boundaries.units import Level, UnitHistory
from gis.placing.unit_names import UnitMatch, UnitNames

TODAY = date(2026, 6, 1)
OLD, NEW = date(2024, 9, 10), date(2025, 9, 1)


@pytest.fixture(scope="module")
def history() -> UnitHistory:
    return package_history("15")


@pytest.fixture(scope="module")
def names(history: UnitHistory) -> UnitNames:
    return UnitNames(history, TODAY)


def codes(match: UnitMatch) -> set[str]:
    return {candidate.code for candidate in match.candidates}


@pytest.mark.parametrize(
    ("text", "day", "commune", "confidence"),
    [
        ("02683", None, "02683", 1.0),
        ("02644", None, "02647", 1.0),  # a code of old, on an unknown day
        ("Phường Sa Pa", NEW, "03006", 1.0),
        ("Phường Sa Pa", None, "03006", 1.0),  # the old ward is in it too
        ("phường sa pả", OLD, "03006", 1.0),
        ("Sa Pa", NEW, "03006", 0.9),  # no district lives on that day
        ("Phường Nam Cường", NEW, "04273", 1.0),
        ("Phường Cam Đường", NEW, "02671", 1.0),
        ("nam chay", NEW, "03076", 0.9),
        ("Xã Nậm Chảy", OLD, "02761", 1.0),
        ("Nậm Chảy", None, "02761", 0.9),
        ("Xã Quang Kim", OLD, "02683", 1.0),
        ("Quang Kim", None, "02683", 0.9),
        ("xã Xuân Hoà", NEW, "02962", 1.0),
        ("XÃ Y TÝ", None, "02701", 1.0),
        ("Xã Y Ty", None, "02701", 1.0),
    ],
)
def test_what_can_mean_one_commune_only_is_read(
    names: UnitNames, text: str, day: date | None, commune: str, confidence: float
) -> None:
    match = names.match(text, day)
    assert (match.commune, match.confidence, match.why) == (commune, confidence, "")


@pytest.mark.parametrize(
    ("text", "day", "candidates"),
    [
        ("Sa Pa", None, {"03006"}),
        ("Sa Pa", OLD, {"03006"}),
        ("Lào Cai", NEW, {"02647"}),  # the province too
        ("Nam Cường", None, {"02671", "04273"}),
        ("Phường Nam Cường", None, {"02671", "04273"}),
        ("Nam Cường", OLD, {"02671", "04273"}),  # a ward of each city
        ("nam chay", None, {"02761", "03076"}),
        ("nam chay", OLD, {"02761", "03076"}),
        ("Xã Nam Chay", None, {"02761", "03076"}),
        ("Xã Thanh Bình", OLD, {"02761", "03046"}),
        ("xa minh quan", OLD, {"04498", "04543"}),
        ("Bát Xát", None, {"02683"}),
    ],
)
def test_what_may_mean_several_is_refused_with_candidates(
    names: UnitNames, text: str, day: date | None, candidates: set[str]
) -> None:
    match = names.match(text, day)
    assert (match.commune, match.confidence) == (None, 0.0)
    assert codes(match) == candidates
    assert all(code in match.why for code in candidates)


@pytest.mark.parametrize("text", ["99999", "Hà Nội", "?", "", "15", "Xã Sa Pa", "Xã Nậm Chảy"])
def test_what_no_commune_is_called_is_refused(names: UnitNames, text: str) -> None:
    match = names.match(text, NEW)
    assert (match.commune, match.candidates) == (None, ())
    assert " / " in match.why


def test_the_unit_of_the_day_is_named(names: UnitNames) -> None:
    match = names.match("Xã Quang Kim", OLD)
    assert match.then is not None and match.then.full_name == "Xã Quang Kim"
    assert names.match("Xã Quang Kim", None).then is None


def test_every_full_name_is_read_on_a_day_or_borne_twice(
    names: UnitNames, history: UnitHistory
) -> None:
    for day in (OLD, NEW):
        units = list(history.on(day, Level.COMMUNE))
        full = np.array([unit.full_name for unit in units])
        for unit in units:
            match = names.match(unit.full_name, day)
            becomes = {code for code, _, _ in history.successors(unit.code, day, TODAY)}
            twice = np.count_nonzero(full == unit.full_name) > 1
            assert {match.commune} == becomes or (twice and match.commune is None), unit.full_name


def test_a_name_that_changed_hands_is_never_guessed_without_a_day(
    names: UnitNames, history: UnitHistory
) -> None:
    """What is answered without a day is what every day answers that knows the name."""
    for unit in history.units:
        for text in (unit.full_name, unit.name):
            match = names.match(text, None)
            if match.commune is not None:
                known = [names.match(text, day).commune for day in (OLD, NEW)]
                assert {code for code in known if code} <= {match.commune}, text


def test_the_examples_of_the_how_to_are_true(names: UnitNames) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "addresses.md"
    row = re.compile(r"^\| (.+?) \| (\d{4}-\d\d-\d\d)? ?\| (\d{5}|–) \|$", re.MULTILINE)
    rows = row.findall(page.read_text("utf-8"))
    assert len(rows) == 7
    for text, day, expected in rows:
        match = names.match(text, date.fromisoformat(day) if day else None)
        assert (match.commune or "–") == expected, (text, day)


def test_each_code_is_read_as_a_spreadsheet_writes_it(
    names: UnitNames, history: UnitHistory
) -> None:
    communes = [unit.code for unit in history.units if unit.level is Level.COMMUNE]
    assert all(code.startswith("0") for code in communes)
    for code in communes:
        number = int(code)
        for text in (f"{number}", f"{number}.0", f"{number},00", f"{number:,}", f" {number} "):
            assert names.restored_code(text) == code
            assert names.match(text, None) == names.match(code, None)
        assert names.restored_code(code) is None, "nothing was lost"


@pytest.mark.parametrize("text", ["2998.5", "29980", "9", "", "x2998", "2998.0.0", "2,99", "-2998"])
def test_other_numbers_are_no_codes(names: UnitNames, text: str) -> None:
    assert names.restored_code(text) is None


@pytest.mark.parametrize(
    "text", ["Huyện Bát Xát", "huyen bat xat", "H. Bát Xát", "H.Bát Xát", "082", "82", "82.0"]
)
def test_a_district_leaves_the_communes_that_it_became(names: UnitNames, text: str) -> None:
    communes = names.district(text)
    assert {"02683", "02701"} <= communes
    assert "03006" not in communes


def test_what_is_no_district_leaves_nothing(names: UnitNames) -> None:
    assert not any(names.district(text) for text in ("", "Phường Sa Pa", "huyện Tam Đường", "999"))


@pytest.mark.parametrize("text", ["P. Sa Pa", "P.Sa Pa", "p sa pa", "X. Bát Xát", "TT. Sa Pa"])
def test_types_may_be_abbreviated(names: UnitNames, text: str) -> None:
    full = {"p": "Phường", "x": "Xã", "t": "Thị trấn"}[text[0].lower()]
    name = text[-5:] if text.lower().endswith("sa pa") else "Bát Xát"
    assert names.match(text, None).commune == names.match(f"{full} {name}", None).commune


def test_what_may_be_meant_holds_all_readings(names: UnitNames) -> None:
    assert names.match("Nam Cường", None).meant == {"02671", "04273"}
    assert names.match("Phường Sa Pa", NEW).meant == {"03006"}
    assert "02701" in names.match("Bát Xát", OLD).meant, "the district of old is meant too"
    assert not names.match("Lào Cai", NEW).meant, "the province may be meant: no clue"
