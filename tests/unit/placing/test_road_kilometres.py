"""Kilometres of roads, on lines and posts whose measure a person can check.

One degree of latitude is 110.6 km here; the roads run north along 104° E.
"""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.placing.road_kilometres import (
    KilometrePost,
    RoadLine,
    RoadNetwork,
    kilometre_text,
    kilometres_in,
    point_at,
    road_keys,
    roads_in,
)

KM_PER_DEGREE = 110.64  # of latitude, at 22° N


def line(start: float, stop: float, km: float | None = None) -> RoadLine:
    return RoadLine(shapely.LineString([(104, start), (104, stop)]), km)


def posts(*kms: float) -> list[tuple[list[str], KilometrePost]]:
    return [(["QL4D"], KilometrePost(km, 104, 22 + km / 100)) for km in kms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("QL4D Km 102+300", [102.3]),
        ("Km102 QL.4D", [102]),
        ("km 37 đường Hà Nội – Lào Cai", [37]),
        ("KM.5+050 QL 70", [5.05]),
        ("đoạn Km36 - Km40, QL279", [36, 40]),
        ("Km36+500-Km40+100", [36.5, 40.1]),
        ("cách thị trấn 5 km", []),
        ("15km về phía bắc", []),
        ("thôn Km", []),
    ],
)
def test_kilometres_are_read(text: str, expected: list[float]) -> None:
    assert kilometres_in(text) == expected


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("QL4D", "ql4d"), ("QL.4D", "ql4d"), ("Quốc lộ 4D", "ql4d"), ("QL 04 D", "ql4d"),
        ("ĐT.155", "dt155"), ("Tỉnh lộ 155", "dt155"), ("TL 155", "dt155"),
        ("đường tỉnh 155", "dt155"),
        ("CT.05", "ct5"), ("Cao tốc 05", "ct5"), ("Đường huyện 12", "dh12"),
        ("Đường Hà Nội – Lào Cai", "hanoilaocai"), ("cao tốc Nội Bài - Lào Cai", "noibailaocai"),
    ],
)  # fmt: skip
def test_the_spellings_of_a_road_have_one_key(name: str, key: str) -> None:
    assert road_keys(name) == [key]


def test_a_reference_of_several_roads_has_the_key_of_each() -> None:
    assert road_keys("QL.4D;QL.32") == ["ql4d", "ql32"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sạt lở QL4D Km 102+300, xã Trung Chải", "ql4d"),
        ("Km102 QL.4D", "ql4d"),
        ("Km 12 QL 70 x. Bản Phiệt", "ql70"),
        ("km 37 đường Hà Nội – Lào Cai", "hanoilaocai"),
        ("cao tốc Nội Bài - Lào Cai Km 240+500, xã Cam Cọn", "noibailaocai"),
    ],
)
def test_the_road_of_a_text_is_found(text: str, key: str) -> None:
    known = {"ql4d", "ql70", "hanoilaocai", "noibailaocai"}
    named = [next((k for k in keys if k in known), None) for keys in roads_in(text)]
    assert [k for k in named if k] == [key]


def test_a_line_is_measured_from_its_start() -> None:
    network = RoadNetwork.of([(["QL4D"], line(22, 22.5, 0))], ())
    point = point_at([network], ["ql4d"], 20)
    assert point is not None and point.name == "QL4D Km 20"
    assert point.lat == pytest.approx(22 + 20 / KM_PER_DEGREE, abs=0.001)
    assert (point.lon, point.precision_m, point.assumed) == (104, 400, False)
    assert point_at([network], ["ql4d"], 60) is None


def test_the_kilometre_at_the_start_of_a_line_counts() -> None:
    network = RoadNetwork.of(
        [(["QL4D"], line(22, 22.1, 100)), (["QL4D"], line(22.1, 22.2, 120))], ()
    )
    point = point_at([network], ["ql4d"], 121)
    assert point is not None
    assert point.lat == pytest.approx(22.1 + 1 / KM_PER_DEGREE, abs=0.001)
    assert point_at([network], ["ql4d"], 115) is None


def test_lines_that_join_are_one_road_whose_start_is_assumed() -> None:
    network = RoadNetwork.of([(["QL4D"], line(22.1, 22.2)), (["QL4D"], line(22, 22.1))], ())
    point = point_at([network], ["ql4d"], 15)
    assert point is not None and point.assumed
    assert point.lat == pytest.approx(22 + 15 / KM_PER_DEGREE, abs=0.001)


def test_lines_that_do_not_join_are_not_measured() -> None:
    network = RoadNetwork.of([(["QL4D"], line(22, 22.1)), (["QL4D"], line(22.2, 22.3))], ())
    assert point_at([network], ["ql4d"], 5) is None


def test_posts_go_before_lines_and_between_them_the_road_is_followed() -> None:
    bend = shapely.LineString([(104, 22), (104.01, 22.005), (104, 22.01)])
    lines = RoadNetwork.of([(["QL.4D"], RoadLine(bend))], ())
    of_posts = RoadNetwork.of((), posts(0, 1))
    point = point_at([lines, of_posts], ["ql4d"], 0.5)
    assert point is not None
    assert (point.lon, point.lat) == pytest.approx((104.01, 22.005), abs=1e-4)
    assert point.precision_m == 100 and not point.assumed
    straight = point_at([of_posts], ["ql4d"], 0.5)
    assert straight is not None and straight.lon == 104
    assert straight.precision_m == pytest.approx(554, abs=5)  # half of 0.01° of latitude


def test_a_post_itself_is_exact_and_far_apart_posts_say_nothing_between() -> None:
    network = RoadNetwork.of((), posts(0, 10))
    exact = point_at([network], ["ql4d"], 10)
    assert exact is not None and exact.precision_m == 50
    assert point_at([network], ["ql4d"], 5) is None
    assert point_at([network], ["ql4d"], 11) is None


def test_two_posts_of_one_kilometre_are_no_answer() -> None:
    network = RoadNetwork.of((), [*posts(1), (["QL4D"], KilometrePost(1, 104.5, 22.5))])
    assert point_at([network], ["ql4d"], 1) is None


@given(metres=st.integers(0, 9_999_999))
def test_a_kilometre_is_read_as_it_is_written(metres: int) -> None:
    assert kilometres_in(kilometre_text(metres / 1_000)) == [pytest.approx(metres / 1_000)]


@given(
    kms=st.lists(st.integers(0, 200), unique=True, min_size=2, max_size=8), share=st.floats(0, 1)
)
def test_a_point_lies_between_the_posts_around_it(kms: list[int], share: float) -> None:
    network = RoadNetwork.of((), posts(*kms))
    low, high = sorted(kms)[:2]
    point = point_at([network], ["ql4d"], low + share * (high - low))
    if point is not None:
        assert 22 + low / 100 <= point.lat <= 22 + high / 100 + 1e-9
