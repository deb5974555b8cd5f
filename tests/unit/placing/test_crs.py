"""A batch in a CRS that cannot be believed stops with a question; it is never shifted."""

import re
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from gis.errors import AmbiguousInput, BadInput
from gis.placing.crs import (
    Inside,
    check_crs,
    check_points,
    parse_crs,
    point_faults,
    to_wgs84,
    zero_points,
)
from gis.placing.source_crs import mislabelled_vn2000
from gis.values import BBox

PROVINCE = BBox(103.5, 21.3, 105.1, 22.9)
LOCAL = "EPSG:9208"
# As programs write a .prj when they do not know VN-2000; the datum is the trap.
DISGUISED = (
    'PROJCS["VN2000_{name}",GEOGCS["GCS",DATUM["{datum}",SPHEROID["WGS_1984",6378137.0,'
    '298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",{meridian}],'
    'PARAMETER["Scale_Factor",0.9999],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)
TRAP = DISGUISED.format(name="LaoCai", datum="D_WGS_1984", meridian=104.75)
BARE_TMERC = "+proj=tmerc +lat_0=0 +lon_0=104.75 +k=0.9999 +x_0=500000 +ellps=WGS84 +units=m"
OFFICIAL_SHIFT = (
    "-191.90441429,-39.30318279,-111.45032835,-0.00928836,0.01975479,-0.00427372,0.252906278"
)

type Points = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def degrees() -> Points:
    """A thousand places all over the province."""
    random = np.random.default_rng(11)
    return random.uniform(103.55, 105.05, 1000), random.uniform(21.35, 22.85, 1000)


def written_in(crs: str, degrees: Points) -> Points:
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*degrees)
    return np.asarray(x), np.asarray(y)


def question(x: np.ndarray, y: np.ndarray, crs: str | None, local: str = LOCAL) -> str:
    with pytest.raises(AmbiguousInput) as caught:
        check_crs(x, y, crs, PROVINCE, local=local)
    return str(caught.value)


def answer(told: str) -> str:
    """What the question says is the likely answer, in both languages the same."""
    answers = re.findall(r"(?:Trả lời bằng|Answer with): --assume-crs (\S+)", told)
    assert len(answers) == 2 and answers[0] == answers[1]
    return str(answers[0])


def test_the_control_point_of_the_province_within_a_centimetre() -> None:
    lon, lat = to_wgs84([419735.6526], [2486912.7857], LOCAL)
    _, _, metres = Geod(ellps="WGS84").inv(lon[0], lat[0], 103.9719054331, 22.4790428959)
    assert metres < 0.01


@settings(deadline=None, max_examples=50)
@given(st.floats(103.5, 105.1), st.floats(21.3, 22.9), st.sampled_from(range(9205, 9219)))
def test_every_provincial_system_comes_back_to_where_it_was(
    lon: float, lat: float, code: int
) -> None:
    x, y = written_in(f"EPSG:{code}", (np.array([lon]), np.array([lat])))
    found = to_wgs84(x, y, f"EPSG:{code}")
    assert (found[0][0], found[1][0]) == pytest.approx((lon, lat), abs=1e-7)


@pytest.mark.parametrize("crs", [LOCAL, "EPSG:4326", "EPSG:4756", "EPSG:3405", "EPSG:32648"])
def test_a_batch_in_its_declared_crs_is_no_question(degrees: Points, crs: str) -> None:
    x, y = written_in(crs, degrees)
    assert str(check_crs(x, y, crs, PROVINCE)) == crs


def test_vn_2000_with_the_datum_wgs_84_is_asked_though_it_lies_in_the_province(
    degrees: Points,
) -> None:
    """PROJ warns of nothing; every point would be 223 m off."""
    told = question(*written_in(LOCAL, degrees), TRAP)
    assert answer(told) == "EPSG:9208"
    assert "EPSG:9208 (VN-2000 / TM-3 104-45): 1000/1000" in told
    assert "223 m" in told and "World Geodetic System 1984" in told


def test_the_trap_would_move_every_point_by_223_m(degrees: Points) -> None:
    x, y = written_in(LOCAL, degrees)
    lon, lat = to_wgs84(x, y, TRAP)
    _, _, metres = Geod(ellps="WGS84").inv(lon, lat, *degrees)
    np.testing.assert_allclose(metres, 223, atol=2)


@pytest.mark.parametrize(
    ("declared", "likely"),
    [
        (DISGUISED.format(name="x", datum="D_WGS_1984", meridian=105.75), "EPSG:9210"),
        (DISGUISED.format(name="x", datum="D_unknown", meridian=104.75), LOCAL),
        (TRAP.replace('GEOGCS["GCS"', 'GEOGCS["Vietnam 2000"'), LOCAL),
        (BARE_TMERC, LOCAL),
        (f"{BARE_TMERC} +towgs84=0,0,0", LOCAL),
    ],
)
def test_every_disguise_of_vn_2000_is_recognised(declared: str, likely: str) -> None:
    assert str(mislabelled_vn2000(parse_crs(declared).crs)) == likely


@pytest.mark.parametrize(
    "crs",
    [LOCAL, "EPSG:3405", "EPSG:32648", "EPSG:4326", f"{BARE_TMERC} +towgs84={OFFICIAL_SHIFT}"],
)
def test_honest_systems_are_no_disguise(crs: str) -> None:
    source = parse_crs(crs)
    assert mislabelled_vn2000(source.crs) is None
    if source.code:
        assert mislabelled_vn2000(CRS.from_wkt(source.crs.to_wkt("WKT1_ESRI"))) is None


def test_exchanged_axes_are_asked_and_can_be_answered(degrees: Points) -> None:
    east, north = written_in(LOCAL, degrees)
    told = question(north, east, LOCAL)
    assert "places only 0 of 1000 records in the province" in told
    assert "chỉ đặt 0/1000 bản ghi trong tỉnh" in told
    assert answer(told) == "EPSG:9208:yx"
    answered = check_crs(north, east, LOCAL, PROVINCE, assume="EPSG:9208:yx")
    np.testing.assert_allclose(to_wgs84(north, east, answered), degrees, atol=1e-7)


def test_latitude_given_as_longitude_is_asked(degrees: Points) -> None:
    lon, lat = degrees
    assert answer(question(lat, lon, "EPSG:4326")) == "EPSG:4326:yx"


def test_a_file_that_mixes_two_orders_of_axes_is_asked_and_may_be_kept(degrees: Points) -> None:
    lon, lat = (column.copy() for column in degrees)
    lon[:400], lat[:400] = degrees[1][:400], degrees[0][:400]
    told = question(lon, lat, "EPSG:4326")
    assert "400 of 1000 records lie outside" in told
    assert "--assume-crs EPSG:4326:yx" in told
    kept = check_crs(lon, lat, "EPSG:4326", PROVINCE, assume="declared")
    assert np.count_nonzero(np.isnan(to_wgs84(lon, lat, kept)[0])) == 400


def test_a_file_that_mixes_metres_with_degrees_is_asked(degrees: Points) -> None:
    east, north = written_in(LOCAL, degrees)
    mixed = [
        np.where(np.arange(1000) < 100, *pair) for pair in zip((east, north), degrees, strict=True)
    ]
    assert "100 of 1000 records lie outside" in question(*mixed, "EPSG:4326")


def test_of_systems_that_fit_alike_none_is_proposed(degrees: Points) -> None:
    told = question(*written_in("EPSG:32648", degrees), None)
    assert answer(told) == "EPSG:…"
    assert "several fit alike" in told


def test_metres_declared_as_degrees_are_asked(degrees: Points) -> None:
    assert answer(question(*written_in(LOCAL, degrees), "EPSG:4326")) == "EPSG:9208"


def test_degrees_declared_as_metres_are_asked(degrees: Points) -> None:
    assert answer(question(*degrees, LOCAL)) == "EPSG:4326"


@pytest.mark.parametrize("code", [9205, 9209, 9210, 9214, 9218])
def test_a_wrong_zone_is_asked(degrees: Points, code: int) -> None:
    told = question(*written_in(LOCAL, degrees), f"EPSG:{code}")
    assert answer(told) == "EPSG:9208"


@pytest.mark.parametrize("declared", ["EPSG:9207", "EPSG:32648", "EPSG:3405"])
def test_the_next_zone_is_asked_though_most_of_the_batch_stays_inside(
    degrees: Points, declared: str
) -> None:
    """25 km off, which leaves nine in ten inside; the province's own system places all."""
    told = question(*written_in(LOCAL, degrees), declared)
    assert answer(told) == "EPSG:9208"


def test_no_declaration_is_asked(degrees: Points) -> None:
    told = question(*written_in(LOCAL, degrees), None)
    assert "declare no CRS" in told and answer(told) == LOCAL


def test_another_province_has_another_likely_system(degrees: Points) -> None:
    told = question(*written_in("EPSG:9207", degrees), None, local="EPSG:9207")
    assert answer(told) == "EPSG:9207"


def test_numbers_that_are_no_coordinates_name_no_candidate() -> None:
    told = question(np.full(50, 1e8), np.full(50, 1e8), "EPSG:4326")
    assert "No usual CRS places records in the province" in told


def test_a_few_records_outside_are_no_question(degrees: Points) -> None:
    lon, lat = degrees[0].copy(), degrees[1].copy()
    lon[:100], lat[:50] = 105.8, 21.0
    assert str(check_crs(lon, lat, "EPSG:4326", PROVINCE)) == "EPSG:4326"
    x, y = written_in(LOCAL, (lon, lat))
    assert str(check_crs(x, y, LOCAL, PROVINCE)) == LOCAL


def test_data_of_the_whole_country_are_no_question() -> None:
    random = np.random.default_rng(3)
    lon, lat = random.uniform(102.5, 109, 500), random.uniform(9, 23, 500)
    assert str(check_crs(lon, lat, "EPSG:4326", PROVINCE)) == "EPSG:4326"


def test_zeros_and_empty_coordinates_are_left_out_of_the_judgement(degrees: Points) -> None:
    x, y = (np.concatenate([values, np.zeros(3000)]) for values in degrees)
    x[:100] = np.nan
    assert str(check_crs(x, y, "EPSG:4326", PROVINCE)) == "EPSG:4326"
    assert str(check_crs([0.0], [0.0], "EPSG:4326", PROVINCE)) == "EPSG:4326"
    assert str(check_crs([], [], LOCAL, PROVINCE)) == LOCAL


def test_the_province_itself_tells_more_than_its_envelope(degrees: Points) -> None:
    """25 km to the east, the batch is within the envelope still, and beyond the border."""

    def inside(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        return np.asarray(lon < 104.75)

    x, y = (values[degrees[0] < 104.7] for values in written_in(LOCAL, degrees))
    assert str(check_crs(x, y, "EPSG:3405", PROVINCE)) == "EPSG:3405"
    with pytest.raises(AmbiguousInput, match="--assume-crs EPSG:9208 "):
        check_crs(x, y, "EPSG:3405", PROVINCE, inside=inside)


@pytest.mark.parametrize("crs", ["EPSG:2044", "EPSG:2045", "EPSG:4147"])
def test_hanoi_72_is_refused_with_the_reason(degrees: Points, crs: str) -> None:
    for attempt in (
        lambda: check_crs(*degrees, crs, PROVINCE),
        lambda: check_crs(*degrees, "EPSG:4326", PROVINCE, assume=crs),
        lambda: to_wgs84(*degrees, crs),
    ):
        with pytest.raises(BadInput, match="no exact transformation from Hanoi 1972"):
            attempt()


@pytest.mark.parametrize("declared", [None, LOCAL])
def test_undeclared_hanoi_72_is_recognised(degrees: Points, declared: str | None) -> None:
    east, north = Transformer.from_crs("EPSG:4326", "EPSG:2044", always_xy=True).transform(*degrees)
    with pytest.raises(BadInput, match="Hanoi 1972"):
        check_crs(east, north, declared, PROVINCE)


def test_a_system_that_is_exact_elsewhere_only_is_refused_here(degrees: Points) -> None:
    with pytest.raises(BadInput, match="no exact transformation from EPSG:4131"):
        check_crs(*degrees, "EPSG:4131", PROVINCE)


def test_an_answer_is_obeyed_and_the_declared_crs_can_be_kept(degrees: Points) -> None:
    x, y = written_in(LOCAL, degrees)
    assert str(check_crs(x, y, TRAP, PROVINCE, assume=LOCAL)) == LOCAL
    kept = check_crs(x, y, TRAP, PROVINCE, assume="declared")
    assert kept == parse_crs(TRAP)
    with pytest.raises(BadInput, match="no CRS to keep"):
        check_crs(x, y, None, PROVINCE, assume="declared")


def test_an_unknown_crs_is_reported_with_what_would_be_right() -> None:
    with pytest.raises(BadInput, match="such as EPSG:9208"):
        parse_crs("EPSG:99999")


def test_a_crs_written_as_text_comes_back_from_its_text() -> None:
    for text in (LOCAL, "EPSG:4326:yx", TRAP, BARE_TMERC):
        source = parse_crs(text)
        assert parse_crs(str(source)) == source


def test_a_bare_projection_is_not_taken_for_the_epsg_code_that_it_resembles() -> None:
    assert str(parse_crs(BARE_TMERC)) != LOCAL


def test_single_points_that_cannot_be_are_faults_of_their_rows() -> None:
    x = [103.9, 0.0, np.nan, 103.9, 419735.0]
    y = [22.4, 0.0, np.nan, np.nan, 2486912.0]
    lon, _ = to_wgs84(x, y, "EPSG:4326")
    faults = point_faults(x, y, lon)
    assert set(faults) == {1, 3, 4}
    assert "(0, 0)" in faults[1] and "Only one" in faults[3] and "cannot be" in faults[4]
    assert zero_points(x, y).tolist() == [False, True, False, False, False]
    assert np.isnan(lon[[2, 3, 4]]).all() and lon[0] == 103.9


def test_a_checked_batch_has_its_points_its_faults_and_its_crs(degrees: Points) -> None:
    x, y = (np.concatenate([values, [0, np.nan]]) for values in written_in(LOCAL, degrees))
    checked = check_points(x, y, TRAP, PROVINCE, assume=LOCAL)
    np.testing.assert_allclose(checked.lon[:-2], degrees[0], atol=1e-7)
    np.testing.assert_allclose(checked.lat[:-2], degrees[1], atol=1e-7)
    assert np.isnan(checked.lon[-2:]).all() and np.isnan(checked.lat[-2:]).all()
    assert list(checked.faults) == [1000] and str(checked.crs) == LOCAL


def test_a_batch_without_any_point_is_no_question() -> None:
    checked = check_points([0.0, np.nan, 1.0], [0.0, np.nan, np.nan], None, PROVINCE)
    assert checked.crs is None and set(checked.faults) == {0, 2}
    assert np.isnan(checked.lon).all()


@pytest.mark.parametrize("code", [9205, 9206, 9207, 9209, 9210, 3405, 32648, 5897])
def test_the_communes_themselves_in_a_wrong_zone_are_asked_about(
    communes: tuple[Points, BBox, Inside], code: int
) -> None:
    degrees, envelope, inside = communes
    x, y = written_in(LOCAL, degrees)
    assert str(check_crs(x, y, LOCAL, envelope)) == LOCAL
    for exactly in (None, inside):
        with pytest.raises(AmbiguousInput) as caught:
            check_crs(x, y, f"EPSG:{code}", envelope, inside=exactly)
        assert answer(str(caught.value)) == LOCAL
        assert "(VN-2000 / TM-3 104-45): 99/99" in str(caught.value)


@pytest.fixture(scope="module")
def communes(shared: Path) -> tuple[Points, BBox, Inside]:
    """A point in each commune of today, their envelope, and the province."""
    frame = geopandas.read_file(shared / "boundaries" / "lao_cai_communes_2025.geojson")
    points = frame.representative_point()
    province = shapely.union_all(frame.geometry)
    shapely.prepare(province)
    return (
        (points.x.to_numpy(), points.y.to_numpy()),
        BBox.of(tuple(frame.total_bounds)),
        lambda lon, lat: shapely.contains_xy(province, lon, lat),
    )


LONG_ISLAND, LONG_ISLAND_FEET = "EPSG:32118", "EPSG:2263"


@pytest.fixture(scope="module")
def elsewhere() -> Points:
    """A thousand places in New York, far from the province."""
    random = np.random.default_rng(5)
    return random.uniform(-74.2, -73.7, 1000), random.uniform(40.55, 40.9, 1000)


def beyond(x: np.ndarray, y: np.ndarray, crs: str) -> str:
    with pytest.raises(AmbiguousInput) as caught:
        check_crs(x, y, crs, PROVINCE, own_area=True)
    return str(caught.value)


def test_data_from_elsewhere_in_their_own_area_are_no_question(elsewhere: Points) -> None:
    for crs in (LONG_ISLAND, LONG_ISLAND_FEET, "EPSG:4326", "EPSG:32618"):
        assert str(check_crs(*written_in(crs, elsewhere), crs, PROVINCE, own_area=True)) == crs


@pytest.mark.parametrize(
    ("written", "declared"), [(LONG_ISLAND_FEET, LONG_ISLAND), (LONG_ISLAND, LONG_ISLAND_FEET)]
)
def test_feet_read_as_metres_are_asked_with_the_system_that_is_meant(
    elsewhere: Points, written: str, declared: str
) -> None:
    x, y = written_in(written, elsewhere)
    told = beyond(x, y, declared)
    assert "New York" in told and f"--assume-crs {written}" in told
    answered = check_crs(x, y, declared, PROVINCE, assume=written, own_area=True)
    np.testing.assert_allclose(to_wgs84(x, y, answered), elsewhere, atol=1e-6)
    assert str(check_crs(x, y, declared, PROVINCE, assume="declared", own_area=True)) == declared
    assert str(check_crs(x, y, declared, PROVINCE)) == declared  # only where it is asked for


def test_a_wkt_without_a_code_is_judged_by_the_code_that_it_equals(elsewhere: Points) -> None:
    wkt = CRS.from_user_input(LONG_ISLAND).to_wkt("WKT1_ESRI")
    told = beyond(*written_in(LONG_ISLAND_FEET, elsewhere), wkt)
    assert f"--assume-crs {LONG_ISLAND_FEET}" in told


def test_exchanged_axes_and_metres_for_degrees_are_asked_wherever_they_lie(
    elsewhere: Points,
) -> None:
    x, y = written_in("EPSG:32618", elsewhere)
    assert "--assume-crs EPSG:32618:yx" in beyond(y, x, "EPSG:32618")
    lon, lat = elsewhere
    assert "--assume-crs EPSG:32618" not in beyond(lon, lat, "EPSG:32618")
    assert "--assume-crs EPSG:4326" in beyond(lon, lat, "EPSG:32618")


def test_a_few_records_beyond_the_area_are_no_question(elsewhere: Points) -> None:
    x, y = written_in(LONG_ISLAND, elsewhere)
    x[:40] += 1e6
    assert str(check_crs(x, y, LONG_ISLAND, PROVINCE, own_area=True)) == LONG_ISLAND
    x[:60] += 1e6
    assert "60 of 1000" in beyond(x, y, LONG_ISLAND)
