"""The units that the package's tables give, counted and followed through the reform."""

import csv
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from gis.boundaries.package_units import (
    REFORM,
    package_history,
    province_codes,
    province_names,
)
from gis.boundaries.units import Level, UnitHistory
from gis.errors import NotFound

BEFORE, AFTER = date(2025, 6, 30), REFORM


@pytest.fixture(scope="module")
def history() -> UnitHistory:
    return package_history("15")


def test_lao_cai_has_319_wards_before_and_99_communes_after(history: UnitHistory) -> None:
    counts = Counter((unit.level, unit.valid_to is None) for unit in history.units)
    assert counts == {
        (Level.PROVINCE, False): 2,
        (Level.DISTRICT, False): 18,
        (Level.COMMUNE, False): 319,
        (Level.PROVINCE, True): 1,
        (Level.COMMUNE, True): 99,
    }


def test_a_code_means_another_unit_on_another_day(history: UnitHistory) -> None:
    def name(code: str, level: Level, day: date) -> str:
        unit = history.unit(code, level, day)
        return unit.full_name if unit else "–"

    assert name("15", Level.PROVINCE, BEFORE) == "Tỉnh Yên Bái"
    assert name("15", Level.PROVINCE, AFTER) == "Tỉnh Lào Cai"
    assert name("10", Level.PROVINCE, BEFORE) == "Tỉnh Lào Cai"
    assert name("10", Level.PROVINCE, AFTER) == "–"
    assert name("02647", Level.COMMUNE, BEFORE) == "Phường Kim Tân"
    assert name("02647", Level.COMMUNE, AFTER) == "Phường Lào Cai"


def test_every_old_ward_of_lao_cai_went_whole_to_one_commune(history: UnitHistory) -> None:
    assert len(history.changes) == 319
    assert all(c.share_area == 1 and not c.estimated and c.on == REFORM for c in history.changes)
    assert {c.new for c in history.changes} == {u.code for u in history.on(AFTER, Level.COMMUNE)}


def test_lineage_agrees_with_the_published_mapping(history: UnitHistory, shared: Path) -> None:
    path = shared / "boundaries" / "lao_cai_legacy_to_2025_mapping.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 319
    for row in rows:
        old = history.unit(row["legacy_ward_code"], Level.COMMUNE, BEFORE)
        assert old is not None
        assert old.full_name == row["legacy_ward"]
        assert old.parent == row["legacy_district_code"]
        successors = history.successors(old.code, BEFORE, AFTER)
        assert successors == [(row["new_commune_code"], 1.0, False)]


def test_a_name_has_its_type_apart(history: UnitHistory) -> None:
    farm_town = history.unit("02902", Level.COMMUNE, BEFORE)
    twins = [history.unit(code, Level.COMMUNE, BEFORE) for code in ("04585", "04600")]
    assert farm_town is not None
    assert (farm_town.kind, farm_town.name) == ("Thị trấn", "Nông trường Phong Hải")
    assert [(unit.kind, unit.name) for unit in twins if unit] == [
        ("Thị trấn", "Trạm Tấu"),
        ("Xã", "Trạm Tấu"),
    ]


def test_former_names_are_aliases_as_people_write_them(history: UnitHistory) -> None:
    merged = history.unit("02998", Level.COMMUNE, BEFORE)
    assert merged is not None
    assert merged.name_en == "Phuc Khanh"
    assert merged.aliases == ("Xã Long Khánh", "Xã Long Phúc")


def test_the_communes_know_their_official_area(history: UnitHistory) -> None:
    areas = [unit.area_km2 or 0 for unit in history.on(AFTER, Level.COMMUNE)]
    assert sum(areas) == pytest.approx(13_256.92, rel=0.01)


@pytest.mark.parametrize("code", province_codes())
def test_any_province_has_a_lineage_in_which_nothing_is_lost(code: str) -> None:
    history = package_history(code)
    kinds = {unit.kind for unit in history.units}
    assert kinds <= {"Tỉnh", "Thành phố", "Quận", "Huyện", "Thị xã", "Phường", "Xã", "Thị trấn",
                     "Đặc khu"}  # fmt: skip
    communes = {unit.code for unit in history.on(AFTER, Level.COMMUNE)}
    shares: Counter[str] = Counter()
    for change in history.changes:
        assert change.new in communes
        shares[change.old] += change.share_area
    old = {unit.code for unit in history.on(BEFORE, Level.COMMUNE)}
    assert set(shares) == old
    assert all(share == pytest.approx(1) for share in shares.values())


def test_a_split_ward_says_that_its_shares_are_estimated() -> None:
    ha_noi = package_history("01")
    estimated = [change for change in ha_noi.changes if change.estimated]
    assert estimated
    assert all(change.share_area < 1 for change in estimated)


def test_there_are_34_provinces_and_the_names_of_the_old_ones_too() -> None:
    assert len(province_codes()) == 34
    assert len(province_names()) == 63
    assert {"Lào Cai", "Yên Bái", "Hà Giang"} <= set(province_names())


def test_an_unknown_province_is_answered_with_the_known_codes() -> None:
    with pytest.raises(NotFound, match=r"'10'.*01, 04, 08"):
        package_history("10")


def test_reading_the_tables_does_not_run_the_package() -> None:
    program = (
        "import sys; from gis.boundaries.package_units import package_history; package_history();"
        "assert not [m for m in sys.modules if m.startswith(('vietnamadminunits', 'geopy'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
