"""Old and new units: totals, bounds, the way back, and tobler as a second way."""

from datetime import date

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.boundaries.package_units import REFORM, package_history
from gis.boundaries.units import Level, Unit, UnitChange, UnitHistory
from layers.processes.operations.crosswalk import carried, shares

# Wards 1 and 2 became commune A, 3 was divided between A (1/4 by area, 1/2 by people) and B, and 4
# became B; 1 and 2 were of district X, 3 and 4 of Y.
AREAS = {"1": 10.0, "2": 30.0, "3": 40.0, "4": 20.0}


def unit(code: str, level: Level, parent: str, *, old: bool) -> Unit:
    since, until = (None, REFORM) if old else (REFORM, None)
    return Unit(code, code, code, "", level, since, until, parent, area_km2=AREAS.get(code))


SMALL = UnitHistory(
    (
        *(unit(code, Level.COMMUNE, "X" if code in "12" else "Y", old=True) for code in AREAS),
        *(unit(code, Level.DISTRICT, "P", old=True) for code in "XY"),
        *(unit(code, Level.COMMUNE, "P", old=False) for code in "AB"),
    ),
    (
        UnitChange("1", "A", REFORM),
        UnitChange("2", "A", REFORM),
        UnitChange("3", "A", REFORM, 0.25, 0.5, True),
        UnitChange("3", "B", REFORM, 0.75, 0.5, True),
        UnitChange("4", "B", REFORM),
    ),
)
REAL = package_history()


def table(source="ward", target="commune", weight="area", sizes=AREAS, history=SMALL):
    return shares(history, source, target, weight, sizes)


def figures(made, given, measure="count"):
    values = np.array([given.get(code, 0.0) for code in made.sources])
    there = np.array([code in given for code in made.sources])
    found = carried(made, values, there, measure)
    return found, dict(zip(made.targets, found.values, strict=True))


def test_counts_by_hand():
    given = {"1": 8.0, "2": 4.0, "3": 100.0, "4": 1.0}
    found, by = figures(table(), given)
    assert by == {"A": 8 + 4 + 25, "B": 75 + 1}
    assert found.low.tolist() == [12, 1] and found.high.tolist() == [112, 101]
    _, by = figures(table(weight="population"), given)
    assert by == {"A": 62, "B": 51}
    _, by = figures(table(target="district"), given)
    assert by == {"X": 12, "Y": 101}


def test_rates_are_means_weighted_by_size():
    found, by = figures(table(), {"1": 1.0, "2": 2.0, "3": 3.0, "4": 4.0}, "rate")
    assert by["A"] == pytest.approx((1 * 10 + 2 * 30 + 3 * 10) / 50)
    assert by["B"] == pytest.approx((3 * 30 + 4 * 20) / 50)
    assert found.low.tolist() == [1, 3] and found.high.tolist() == [3, 4]


def test_back_again_and_district_to_commune():
    _, by = figures(table("commune", "ward"), {"A": 50.0, "B": 50.0})
    assert by == pytest.approx({"1": 10, "2": 30, "3": 40, "4": 20})
    _, by = figures(table("district", "commune"), {"X": 40.0, "Y": 60.0})
    assert by == pytest.approx({"A": 50, "B": 50})


def test_what_was_not_given_is_said():
    found, _ = figures(table(), {"1": 1.0})
    assert found.touched.tolist() == [True, False]
    assert found.complete.tolist() == [False, False]


@pytest.mark.parametrize("weight", ["area", "population", "equal"])
@pytest.mark.parametrize(
    ("source", "target"),
    [("ward", "commune"), ("commune", "ward"), ("ward", "district"), ("district", "commune"),
     ("commune", "district"), ("district", "ward")],
)  # fmt: skip
def test_totals_of_the_real_lineage_are_preserved(source, target, weight):
    wards = list(REAL.on(date(2025, 6, 30), Level.COMMUNE))
    sizes = {each.code: each.area_km2 or 1.0 for each in wards}
    made = table(source, target, weight, sizes, REAL)
    assert np.allclose(made.matrix.sum(axis=1), 1, atol=1e-12)
    values = np.random.default_rng(0).uniform(0, 1e6, len(made.sources))
    found = carried(made, values, np.ones(len(values), bool), "count")
    assert found.values.sum() == pytest.approx(values.sum(), rel=1e-12)
    assert (found.low <= found.values + 1e-6).all() and (found.values <= found.high + 1e-6).all()


def test_wards_are_those_of_before_the_reform():
    made = table(history=REAL)
    assert len(made.sources) > 300 and 90 <= len(made.targets) <= 110


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_bounds_hold_the_figure_whatever_its_sign(values):
    found, by = figures(table(), dict(zip("1234", values, strict=True)))
    tolerance = 1e-6 * (1 + max(map(abs, values)))
    assert (found.low <= found.values + tolerance).all()
    assert (found.values <= found.high + tolerance).all()
    assert sum(by.values()) == pytest.approx(sum(values), abs=tolerance)


def test_as_tobler_interpolates_by_area():
    """Squares that have the areas of the lineage: area weighting is then what the shares say."""
    from tobler.area_weighted import area_interpolate

    boxes = {"1": (0, 0, 10, 1), "2": (10, 0, 40, 1), "3": (40, 0, 80, 1), "4": (80, 0, 100, 1)}
    communes = {"A": (0, 0, 50, 1), "B": (50, 0, 100, 1)}
    values = {"1": 8.0, "2": 4.0, "3": 100.0, "4": 1.0}
    old = geopandas.GeoDataFrame(
        {"value": [values[code] for code in boxes]},
        geometry=[shapely.box(*box) for box in boxes.values()], crs=9208,
    )  # fmt: skip
    new = geopandas.GeoDataFrame(
        geometry=[shapely.box(*box) for box in communes.values()], crs=9208
    )
    wanted = area_interpolate(old, new, extensive_variables=["value"])["value"]
    _, by = figures(table(), values)
    assert list(by.values()) == pytest.approx(wanted.tolist(), rel=1e-9)


def test_several_indicators_at_once_are_each_alone():
    """Losses too, of which the bounds change places."""
    made, given = table(), np.array([True, True, True, False])
    values = np.random.default_rng(3).normal(0, 50, (5, 4)) * given
    together = carried(made, values, given, "count")
    for at, one in enumerate(values):
        alone = carried(made, one, given, "count")
        for name in ("values", "low", "high"):
            assert getattr(together, name)[at] == pytest.approx(getattr(alone, name))
        assert (alone.low <= alone.values + 1e-9).all()
        assert (alone.values <= alone.high + 1e-9).all()
