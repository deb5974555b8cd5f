"""Scan statistics: published clusters, and laws."""

import math
import threading

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.analysis.circles import circles_around
from gis.analysis.scan import (
    Null,
    _Space,
    ebp_scan,
    gumbel_p,
    poisson_scan,
    replicate_p,
    stp_null,
    stp_scan,
    tail_p,
    weekday_strata,
)
from gis.analysis.surveillance import shiryaev_roberts
from gis.errors import BadInput

few = settings(deadline=None, max_examples=10)


@pytest.fixture(scope="module")
def counties():
    frame = gpd.read_file(libpysal.examples.get_path("sids2.shp"))
    centres = shapely.centroid(frame.geometry.to_numpy())
    return frame, np.round(shapely.get_coordinates(centres), 6)


@pytest.fixture(scope="module")
def burkitt():
    frame = gpd.read_file(libpysal.examples.get_path("burkitt.shp"))
    return frame[["X", "Y"]].to_numpy(float), frame["T"].to_numpy().astype(int)


def test_the_poisson_scan_of_sudden_infant_deaths_1974(counties):
    frame, xy = counties
    found = poisson_scan(frame["SID74"].to_numpy().astype(int), frame["BIR74"].to_numpy(), xy)
    first, second = found.iloc[0], found.iloc[1]
    assert first["llr"] == pytest.approx(13.839624, abs=1e-6)
    assert (first["places"], first["observed"]) == (43, 397)
    assert first["expected"] == pytest.approx(329.24, abs=0.005)
    assert first["p"] <= 0.003
    assert frame["NAME"][second["centre"]] == "Anson"
    assert second["llr"] == pytest.approx(11.577076, abs=1e-6)
    assert (second["observed"], round(second["expected"], 2)) == (15, 3.17)


def test_the_poisson_scan_of_sudden_infant_deaths_1979(counties):
    frame, xy = counties
    found = poisson_scan(frame["SID79"].to_numpy().astype(int), frame["BIR79"].to_numpy(), xy)
    first = found.iloc[0]
    assert first["llr"] == pytest.approx(7.574693, abs=1e-6)
    assert (first["places"], first["observed"]) == (16, 222)
    assert first["expected"] == pytest.approx(174.85, abs=0.005)
    assert first["p"] == pytest.approx(0.0284, abs=0.016)
    assert first["p_gumbel"] == pytest.approx(0.0284, abs=0.01)


def burkitt_scan(burkitt, last_day, replicates=9, **options):
    points, days = burkitt
    xy, place = np.unique(points, axis=0, return_inverse=True)
    found = stp_scan(
        place.ravel(), days, xy, max_radius=40, max_days=365, last_day=last_day, min_cases=2,
        null=Null(replicates), **options,
    )  # fmt: skip
    return found.iloc[0], xy


def test_the_prospective_scan_of_burkitts_lymphoma(burkitt):
    # The published circle ends between two places at one distance.
    first, xy = burkitt_scan(burkitt, 5775, replicates=999, whole_rings=False)
    assert first["llr"] == pytest.approx(4.447879, abs=1e-6)
    assert (first["observed"], round(first["expected"], 4)) == (3, 0.2766)
    assert xy[int(first["centre"])].tolist() == [327, 383]
    assert round(first["radius"], 2) == 17.46
    assert 5775 - first["days"] + 1 == 5583
    assert first["p"] == pytest.approx(0.511, abs=0.05)


def test_whole_rings_find_the_same_events_from_another_centre(burkitt):
    first, xy = burkitt_scan(burkitt, 5775)
    assert first["llr"] == pytest.approx(4.447879, abs=1e-6)
    assert np.hypot(*(xy[int(first["centre"])] - [327, 383])) <= first["radius"]


def test_the_prospective_scan_of_burkitts_lymphoma_to_day_3000(burkitt):
    first, _ = burkitt_scan(burkitt, 3000)
    assert first["llr"] == pytest.approx(3.030009, abs=1e-6)
    assert (first["observed"], round(first["expected"], 4)) == (2, 0.1791)


def test_the_surveillance_of_burkitts_lymphoma(burkitt):
    found = shiryaev_roberts(burkitt[0], radius=20, growth=0.5, threshold=161)
    assert (found.alarm, found.cluster_start) == (148 - 1, 107 - 1)


def events(seed, n=120):
    random = np.random.default_rng(seed)
    xy = random.uniform(0, 10, (25, 2))
    return random.integers(0, 25, n), random.integers(0, 30, n), xy


def scanned(place, day, xy, **options):
    given = {"max_radius": 4.0, "max_days": 7, "null": Null(19)} | options
    return stp_scan(place, day, xy, **given)


@few
@given(seed=st.integers(0, 99), east=st.floats(-50, 50))
def test_moving_the_map_and_the_calendar_changes_no_cluster(seed, east):
    place, day, xy = events(seed)
    usual = scanned(place, day, xy)
    moved = scanned(place, day + 100, xy + np.array([east, 7.0]))
    assert moved["llr"].to_numpy() == pytest.approx(usual["llr"].to_numpy())
    assert moved["p"].tolist() == usual["p"].tolist()


@few
@given(seed=st.integers(0, 99))
def test_relabelling_places_and_reordering_events_changes_no_llr(seed):
    place, day, xy = events(seed)
    label = np.random.default_rng(seed).permutation(len(xy))
    order = np.random.default_rng(seed + 1).permutation(len(place))
    usual = scanned(place, day, xy)
    other = scanned(np.argsort(label)[place][order], day[order], xy[label])
    assert other["llr"].iloc[0] == pytest.approx(usual["llr"].iloc[0])


@few
@given(seed=st.integers(0, 99), factor=st.floats(0.1, 1000))
def test_scaling_the_population_changes_no_poisson_cluster(seed, factor):
    random = np.random.default_rng(seed)
    cases, xy = random.poisson(3, 30), random.uniform(0, 9, (30, 2))
    population = random.uniform(1, 5, 30)
    usual = poisson_scan(cases, population, xy, null=Null(9))
    scaled = poisson_scan(cases, population * factor, xy, null=Null(9))
    assert scaled["llr"].to_numpy() == pytest.approx(usual["llr"].to_numpy())


def circles_written_out(xy, radius):
    """Each set of places that a circle may hold, by plain loops; ties enter together."""
    for centre in xy.tolist():
        away = [round(math.dist(centre, other), 6) for other in xy.tolist()]
        for edge in {d for d in away if d <= radius}:
            yield [place for place, d in enumerate(away) if d <= edge]


def llr_written_out(c, mu, total):
    if c <= mu:
        return 0.0
    outside = (total - c) * math.log((total - c) / (total - mu)) if c < total else 0.0
    return c * math.log(c / mu) + outside


# A lattice: nearly all distances are tied.
LATTICE = np.array([[x, y] for x in range(5) for y in range(4)], float)


@few
@given(seed=st.integers(0, 999), share=st.sampled_from([0.2, 0.5]))
def test_the_poisson_scan_is_the_best_circle_of_all(seed, share):
    random = np.random.default_rng(seed)
    cases, population = random.poisson(4, 20), random.integers(1, 9, 20).astype(float)
    total, rate = cases.sum(), cases.sum() / population.sum()
    llrs = [
        llr_written_out(cases[held].sum(), population[held].sum() * rate, total)
        for held in circles_written_out(LATTICE, 99)
        if population[held].sum() <= share * population.sum()
    ]
    found = poisson_scan(cases, population, LATTICE, max_share=share, null=Null(0))
    assert found["llr"].iloc[0] == pytest.approx(max(llrs))


@few
@given(seed=st.integers(0, 999), least=st.integers(1, 5), weeks=st.booleans())
def test_the_permutation_scan_is_the_best_cylinder_of_all(seed, least, weeks):
    random = np.random.default_rng(seed)
    place, day = random.integers(0, 20, 150), random.integers(0, 28, 150)
    strata = day % 7 if weeks else np.zeros(150, int)
    llrs = [0.0]
    for held in circles_written_out(LATTICE, 2.5):
        inside = np.isin(place, held)
        for days in range(1, 6):
            recent = day > 27 - days
            c = (inside & recent).sum()
            mu = sum(
                (inside & (strata == w)).sum()
                * (recent & (strata == w)).sum()
                / (strata == w).sum()
                for w in set(strata.tolist())
            )
            if c >= least and inside.sum() <= 75:
                llrs.append(llr_written_out(c, mu, 150))
    found = stp_scan(
        place, day, LATTICE, max_radius=2.5, max_days=5, last_day=27, min_cases=least,
        strata=strata, null=Null(0),
    )  # fmt: skip
    assert (found["llr"].iloc[0] if len(found) else 0.0) == pytest.approx(max(llrs))


@few
@given(seed=st.integers(0, 999))
def test_the_forecast_scan_is_the_best_cylinder_of_all(seed):
    random = np.random.default_rng(seed)
    baselines = random.uniform(0.2, 2, (20, 9))
    counts = random.poisson(baselines)
    llrs = []
    for held in circles_written_out(LATTICE, 2.5):
        for days in range(1, 6):
            c, b = counts[held, -days:].sum(), baselines[held, -days:].sum()
            llrs.append(c * math.log(c / b) + b - c if c > b else 0.0)
    found = ebp_scan(counts, baselines, LATTICE, max_radius=2.5, max_days=5, null=Null(0))
    assert found["llr"].iloc[0] == pytest.approx(max(llrs))


@few
@given(seed=st.integers(0, 999))
def test_clusters_share_no_place_and_come_in_the_order_of_their_llr(seed):
    place, day, xy = events(seed, 200)
    found = scanned(place, day, xy)
    llr = found["llr"].to_numpy()
    assert (np.diff(llr) <= 0).all()
    assert (np.diff(found["p"]) >= 0).all()
    held = [
        set(np.flatnonzero(np.hypot(*(xy - xy[one.centre]).T) <= one.radius * (1 + 1e-9)))
        for one in found.itertuples()
    ]
    assert len(set().union(*held)) == sum(map(len, held)) == found["places"].sum()


def test_all_events_at_one_place_are_no_cluster_of_half_of_them():
    place, day, xy = np.zeros(50, int), np.arange(50), np.array([[0.0, 0.0], [5.0, 0.0]])
    assert scanned(place, day, xy).empty


@pytest.mark.parametrize("days", [1, 7, 17])
@pytest.mark.parametrize("cases", [400, 90_000])  # few enough for short counts, and not
def test_each_replicate_is_scanned_as_the_observed_are(days: int, cases: int):
    # Drawn ones, and one with an outbreak that none of the others reaches.
    random = np.random.default_rng(days)
    xy = random.integers(0, 9, (60, 2)).astype(float)
    expected = random.uniform(0, 2 * cases / 60 / days, (60, days)).cumsum(axis=1)
    drawn = random.poisson(np.diff(expected, prepend=0), (5, 60, days)).cumsum(axis=2)
    drawn[3, 20] += 3 * cases // 60
    space = _Space(circles_around(xy, 4.0), expected, cases, 2, 2 * cases)
    alone = [space.each_centre(counts)[0].llr for counts in drawn]
    assert space.best(drawn) == pytest.approx(alone, rel=1e-12)
    assert alone[3] == max(alone)


def test_a_place_that_is_not_among_the_centres_is_refused():
    with pytest.raises(BadInput, match="from 0 to 1"):
        scanned(np.array([0, 2, 1]), np.zeros(3, int), np.array([[0.0, 0.0], [5.0, 0.0]]))


def test_strata_take_the_blame_of_a_weekday():
    # One half of the map is counted on even days alone: without strata it looks like a cluster.
    random = np.random.default_rng(5)
    xy = np.array([[x, y] for x in range(6) for y in range(2)], float)
    place = random.integers(0, 12, 900)
    day = random.integers(0, 15, 900) * 2 + (place < 6)
    plain = scanned(place, day, xy, max_days=1)
    split = scanned(place, day, xy, max_days=1, strata=day % 2)
    assert plain["p"].iloc[0] <= 0.05
    assert split["p"].iloc[0] > plain["p"].iloc[0]


def test_a_precomputed_null_distribution_gives_the_p_of_one_drawn_anew():
    place, day, xy = events(3, 300)
    kept = stp_null(place, day, xy, max_radius=4.0, max_days=7, null=Null(99, seed=5))
    drawn = scanned(place, day, xy, null=Null(99, seed=5))
    assert scanned(place, day, xy, null=kept)["p"].tolist() == drawn["p"].tolist()


def test_while_a_null_distribution_is_drawn_other_threads_go_on():
    random = np.random.default_rng(1)
    xy = random.uniform(0, 1, (1000, 2))
    circles = circles_around(xy, 0.5)
    space = _Space(circles, np.full((1000, 14), 0.5), 4000.0, 3, 7000)
    counts = random.poisson(0.5, (6, 1000, 14)).cumsum(axis=2)
    began, ended = threading.Event(), threading.Event()

    def draw() -> None:
        began.set()
        space.best(counts)
        ended.set()

    space.best(counts[:1])  # compiled
    thread = threading.Thread(target=draw)
    thread.start()
    began.wait()
    turns = 0
    while not ended.wait(0.001):
        turns += 1
    thread.join()
    assert turns > 10


def test_strata_are_asked_for_only_where_areas_differ_in_their_week():
    random = np.random.default_rng(8)
    area, day = random.integers(0, 20, 4000), random.integers(0, 90, 4000)
    assert weekday_strata(area, day) is None
    by_monday = np.where(area < 10, day // 7 * 7, day)
    strata = weekday_strata(area, by_monday)
    assert strata is not None
    assert (strata == by_monday % 7).all()


def test_few_events_or_one_area_ask_for_no_strata():
    assert weekday_strata(np.zeros(0, int), np.zeros(0, int)) is None
    assert weekday_strata(np.zeros(90, int), np.arange(90)) is None
    assert weekday_strata(np.arange(90), np.arange(90)) is None


def test_a_sudden_heap_is_found_and_its_p_is_small():
    place, day, xy = events(7, 300)
    place, day = np.append(place, [3] * 10), np.append(day, [29] * 10)
    first = scanned(place, day, xy, null=Null(199)).iloc[0]
    assert first["p"] <= 0.01
    assert first["days"] == 1
    assert first["ri_days"] >= 100


def test_a_forecast_scan_sees_a_rise_everywhere():
    xy = np.array([[x, y] for x in range(5) for y in range(5)], float)
    baselines = np.ones((25, 10))
    counts = np.ones((25, 10), np.int64)
    counts[:, -1] = 3
    found = ebp_scan(counts, baselines, xy, max_radius=10, max_days=3, null=Null(99))
    assert found["places"].iloc[0] == 25
    assert found["llr"].iloc[0] == pytest.approx(75 * np.log(3) + 25 - 75)
    assert found["p"].iloc[0] == 0.01


def test_no_cases_have_no_cluster():
    xy = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert poisson_scan(np.zeros(2, int), np.ones(2), xy).empty
    assert scanned(np.zeros(0, int), np.zeros(0, int), xy).empty


@pytest.mark.parametrize("xy", [np.zeros((0, 2)), np.array([[0.0, 0.0], [1.0, 1.0]])])
def test_no_cases_have_a_null_distribution_of_zeros(xy):
    none = np.zeros(0, np.int64)
    null = stp_null(none, none, xy, max_radius=2, max_days=3, last_day=9, null=Null(99))
    assert null.tolist() == [0.0] * 99


def test_the_gumbel_p_of_a_middling_value_is_that_of_the_draws():
    draws = np.random.default_rng(0).gumbel(4, 1, 5000)
    assert gumbel_p(draws, 6.0) == pytest.approx((draws >= 6.0).mean(), abs=0.01)


FOUR = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
CASES, PEOPLE = np.array([5, 1, 1, 3]), np.array([10.0, 10.0, 10.0, 10.0])
PLACE, DAY = np.array([0, 1, 2, 3, 0, 0]), np.array([1, 2, 3, 4, 5, 5])


def poisson(cases=CASES, population=PEOPLE, xy=FOUR, **how):
    return poisson_scan(cases, population, xy, **{"null": Null(9)} | how)


def permuted(place=PLACE, day=DAY, xy=FOUR, **how):
    return stp_scan(
        place, day, xy, **{"max_radius": 2, "max_days": 2, "min_cases": 1, "null": Null(9)} | how
    )


def forecast(counts=CASES[:, None], baselines=PEOPLE[:, None] / 10, xy=FOUR, **how):
    return ebp_scan(
        counts, baselines, xy, **{"max_radius": 2, "max_days": 3, "null": Null(9)} | how
    )


def watched(xy=FOUR, **how):
    return shiryaev_roberts(xy, **{"radius": 1, "growth": 0.5, "threshold": 9} | how)


DATES = np.array(["2026-01-01"] * 6, "datetime64[D]")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: poisson(population=PEOPLE[:3]), r"`population` has shape \(3,\)"),
        (lambda: poisson(xy=FOUR[:3]), r"`cases` has shape \(4,\), it must have \(3\)"),
        (lambda: poisson(xy=FOUR[:, :1]), r"`xy` has shape"),
        (lambda: poisson(xy=FOUR + np.inf), "`xy` holds inf at 0, 0"),
        (lambda: poisson(cases=[5, 1, -1, 3]), "`cases` holds -1 at 2: each must be 0 or more"),
        (lambda: poisson(cases=[5, 1, np.nan, 3]), "`cases` holds nan at 2"),
        (lambda: poisson(cases=[5, 1, 0.5, 3]), "`cases` holds 0.5 at 2: .* a whole number"),
        (lambda: poisson(population=[1, -1, 1, 1]), "`population` holds -1.0 at 1"),
        (lambda: poisson(population=np.zeros(4)), "`population` somewhere: all are 0"),
        (lambda: poisson(cases=[3_000_000_000, 0, 0, 0]), "hold 3,000,000,000 cases: give at most"),
        (lambda: poisson(max_radius=0), "`max_radius` is 0: give a number above 0"),
        (lambda: poisson(max_radius=np.nan), "`max_radius` is nan"),
        (lambda: poisson(max_share=0), "`max_share` is 0"),
        (lambda: poisson(max_share=1.1), "`max_share` is 1.1"),
        (lambda: poisson(max_clusters=0), "`max_clusters` is 0: give a whole number of at least 1"),
        (lambda: permuted(place=PLACE[:5]), r"`day` has shape \(6,\), it must have \(5\)"),
        (lambda: permuted(strata=DAY[:5]), r"`strata` has shape \(5,\)"),
        (lambda: permuted(place=PLACE + 1), "`place` numbers the rows of `xy`, from 0 to 3"),
        (lambda: permuted(place=PLACE - 1), "`place` numbers the rows of `xy`"),
        (lambda: permuted(place=PLACE + 1, last_day=1), "`place` numbers the rows of `xy`"),
        (lambda: permuted(day=DATES), r"`day` holds datetime64\[D\] and no numbers"),
        (lambda: permuted(day=pd.Series(DATES)), r"`day` holds datetime64\[s\] and no numbers"),
        (lambda: permuted(day=DAY + 0.5), "`day` holds 1.5 at 0"),
        (lambda: permuted(last_day="5"), "`last_day` is 5: give a whole number"),
        (lambda: permuted(max_days=-1), "`max_days` is -1: give a whole number of at least 1"),
        (lambda: permuted(max_days=0), "`max_days` is 0"),
        (lambda: permuted(min_cases=0), "`min_cases` is 0"),
        (lambda: permuted(max_radius=-1), "`max_radius` is -1"),
        (lambda: permuted(null=[1.0, np.nan]), "`null` holds nan at 1"),
        (lambda: stp_null(PLACE, DAY, FOUR, max_radius=2, max_days=0), "`max_days` is 0"),
        (lambda: stp_null(PLACE, DAY[1:], FOUR, max_radius=2, max_days=1), "`day` has shape"),
        (lambda: forecast(CASES[:3, None], PEOPLE[:3, None]), "`counts` has shape"),
        (lambda: forecast(baselines=PEOPLE[:3, None]), "`baselines` has shape"),
        (lambda: forecast(CASES, PEOPLE), r"`counts` has shape \(4,\), it must have \(4, any\)"),
        (lambda: forecast(np.zeros((4, 0)), np.zeros((4, 0))), "`counts` have no day"),
        (lambda: forecast(baselines=-PEOPLE[:, None]), "`baselines` holds -10.0 at 0, 0"),
        (lambda: forecast(baselines=np.full((4, 1), np.nan)), "`baselines` holds nan at 0, 0"),
        (lambda: forecast(baselines=np.full((4, 1), 1e9)), "`baselines` hold 4,000,000,000 cases"),
        (lambda: weekday_strata(PLACE, DAY[1:]), "`day` has shape"),
        (lambda: weekday_strata(PLACE, DATES), "`day` holds datetime64"),
        (lambda: weekday_strata(PLACE, DAY, before=1.5), "`before` is 1.5"),
        (lambda: weekday_strata(PLACE, DAY, alpha=2), "`alpha` is 2"),
        (lambda: Null(-1), "`replicates` is -1: give a whole number of at least 0"),
        (lambda: Null(stop=0), "`stop` is 0: give a whole number of at least 1"),
        (lambda: Null(seed=-1), "`seed` is -1"),
        (lambda: tail_p([1.0, np.nan], 1.0), "`simulated` holds nan at 1"),
        (lambda: replicate_p([1.0, 2.0], np.nan), "`llr` is nan"),
        (lambda: watched(xy=FOUR * np.nan), "`xy` holds nan at 0, 0"),
        (lambda: watched(radius=np.nan), "`radius` is nan: give a number above 0"),
        (lambda: watched(growth=np.inf), "`growth` is inf"),
        (lambda: watched(threshold=0), "`threshold` is 0: give a number above 0"),
    ],
)  # fmt: skip
def test_what_a_scan_cannot_take_is_refused_in_words(call, words):
    with pytest.raises(BadInput, match=words):
        call()


def shuffled(values):
    return pd.Series(values, index=np.arange(len(values))[::-1] % 3)


@pytest.mark.parametrize("kind", [list, shuffled, lambda values: values.astype(float)])
def test_a_scan_takes_lists_series_and_floats_by_position(kind):
    frame = pd.DataFrame(FOUR, index=[3, 1, 1, 0])
    assert poisson(kind(CASES), kind(PEOPLE), frame).equals(poisson())
    assert permuted(kind(PLACE), kind(DAY), FOUR.tolist(), strata=kind(DAY % 2)).equals(
        permuted(strata=DAY % 2)
    )
    assert permuted(null=kind(np.arange(9))).equals(permuted(null=np.arange(9.0)))
    same = forecast(pd.DataFrame(CASES, index=[3, 1, 1, 0]), (PEOPLE[:, None] / 10).tolist(), frame)
    assert same.equals(forecast())
    assert weekday_strata(kind(PLACE), kind(DAY)) is weekday_strata(PLACE, DAY) is None
    draws = np.arange(30)
    for law in (replicate_p, gumbel_p, tail_p):
        assert law(kind(draws), 25.0) == law(draws, 25.0)
    assert watched(frame).statistic.tolist() == watched().statistic.tolist()


@few
@given(seed=st.integers(0, 99))
def test_relabelling_places_changes_no_poisson_cluster(seed):
    random = np.random.default_rng(seed)
    cases, population = random.poisson(3, 30), random.uniform(1, 5, 30)
    xy, label = random.uniform(0, 9, (30, 2)), random.permutation(30)
    usual = poisson(cases, population, xy)
    other = poisson(cases[label], population[label], xy[label])
    assert other["llr"].iloc[0] == pytest.approx(usual["llr"].iloc[0])


@pytest.mark.parametrize("cases", [90_000, 1_900_000_000])
def test_replicates_of_very_many_cases_are_scanned_as_the_observed_are(cases):
    random = np.random.default_rng(1)
    xy, expected = random.integers(0, 9, (60, 2)).astype(float), np.full((60, 1), cases / 60)
    drawn = random.multinomial(cases, np.full(60, 1 / 60), 20)[:, :, None]
    space = _Space(circles_around(xy, 4.0), expected, cases / 2, 1, cases)
    alone = [space.each_centre(counts)[0].llr for counts in drawn]
    assert space.best(drawn.astype(np.int32)) == pytest.approx(alone, rel=1e-9)
