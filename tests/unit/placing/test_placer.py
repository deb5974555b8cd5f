"""All clues of a record together: its point, its address, its commune and its district."""

from collections.abc import Sequence
from datetime import date, timedelta

import geopandas as gpd
import numpy as np
import pytest

from gis.boundaries.package_units import package_history
from gis.boundaries.units import Level, Unit, UnitChange, UnitHistory
from gis.placing.addresses import AddressResolver
from gis.placing.cells import CellTable
from gis.placing.centres import centres_at, stand_for_communes
from gis.placing.placer import Claims, Placements, Placer
from tests.provinces import SINCE, toy_communes, toy_history

TODAY = date(2026, 6, 1)
METRE = 1 / 111_320  # degrees of latitude
SAO_MAI, BAI_CAT, DOI_THONG = "00001", "00004", "00007"
CENTRE = {SAO_MAI: (104.05, 22.05), BAI_CAT: (104.15, 22.05), DOI_THONG: (104.25, 22.05)}


def with_districts() -> UnitHistory:
    """The toy province with two districts of old: one became Sao Mai, one the other two."""
    toy = toy_history()
    old = [("901", "Huyện", "Suối Tre", SAO_MAI), ("902", "Huyện", "Rừng Vầu", BAI_CAT)]
    districts = [
        Unit(code, name, f"{kind} {name}", kind, Level.DISTRICT, None, SINCE, "10")
        for code, kind, name, _ in old
    ]
    communes = [
        Unit(f"8{n}000", f"Cũ {n}", f"Xã Cũ {n}", "Xã", Level.COMMUNE, None, SINCE, district)
        for n, district in enumerate(["901", "902", "902"])
    ]
    changes = [
        UnitChange(f"8{n}000", code, SINCE) for n, code in enumerate([SAO_MAI, BAI_CAT, DOI_THONG])
    ]
    return UnitHistory((*toy.units, *districts, *communes), tuple(changes))


@pytest.fixture(scope="module")
def placer() -> Placer:
    history = with_districts()
    table = CellTable.build(toy_communes())
    return Placer(history, table, AddressResolver(history), today=TODAY)


@pytest.fixture(scope="module")
def lao_cai() -> Placer:
    """The names of Lào Cai, on the toy's polygons: for records without a point."""
    history = package_history()
    table = CellTable.build(toy_communes())
    return Placer(history, table, AddressResolver(history), today=TODAY)


def place(
    placer: Placer,
    point: Sequence[float] = (np.nan, np.nan),
    address: str = "",
    unit: str = "",
    district: str = "",
    precision_m: float = np.nan,
    day: date | None = None,
) -> dict:
    claims = Claims(
        np.array([point[0]], float),
        np.array([point[1]], float),
        [address],
        [unit],
        [day],
        np.array([precision_m]),
        district=[district],
    )
    return placer.place(claims).row(0)


def test_a_point_that_its_words_confirm_is_placed(placer: Placer) -> None:
    for words in ({"unit": "Phường Sao Mai"}, {"unit": "1"}, {"district": "Huyện Suối Tre"}, {}):
        placed = place(placer, CENTRE[SAO_MAI], **words)
        assert (placed["commune"], placed["confidence"], placed["reason"]) == (SAO_MAI, 1.0, "")


@pytest.mark.parametrize(
    "words",
    [
        {"unit": "Xã Bãi Cát"},
        {"unit": BAI_CAT},
        {"address": "thôn 3, xã Bãi Cát, tỉnh Lào Cai"},
        {"district": "Huyện Rừng Vầu"},
        {"unit": "Phường Sao Mai", "district": "Huyện Rừng Vầu"},
    ],
)
def test_a_point_far_from_what_its_words_name_has_no_place(placer: Placer, words: dict) -> None:
    placed = place(placer, CENTRE[SAO_MAI], **words)
    assert (placed["commune"], placed["unit_then"]) == (None, None)
    assert placed["reason"] == "contradiction"
    assert placed["confidence"] < 0.5
    assert "Phường Sao Mai" in placed["why"] and "Xã Bãi Cát" in placed["why"]
    assert "mâu thuẫn" in placed["why"] and "contradict each other" in placed["why"]
    assert {candidate.code for candidate in placed["candidates"]} >= {SAO_MAI, BAI_CAT}


@pytest.mark.parametrize(
    ("metres", "precision_m", "contradicts"),
    [(50, np.nan, False), (250, np.nan, False), (400, np.nan, True), (400, 500, False),
     (900, 500, True), (900, 2_000, False)],
)  # fmt: skip
def test_how_far_beyond_a_border_goes_by_precision(
    placer: Placer, metres: float, precision_m: float, contradicts: bool
) -> None:
    lon = 104.1 - metres * METRE / np.cos(np.radians(22.05))
    placed = place(placer, (lon, 22.05), unit="Xã Bãi Cát", precision_m=precision_m)
    assert (placed["reason"] == "contradiction") is contradicts
    if not contradicts:
        assert placed["commune"] == SAO_MAI, "the point decides, as it does for its hex"
        assert placed["confidence"] == 0.9
        assert "close to Xã Bãi Cát" in placed["why"]


def test_a_point_outside_contradicts_words_that_name_a_commune(placer: Placer) -> None:
    far, near = (130.0, 22.05), (104.3 + 50 * METRE, 22.05)
    assert place(placer, far)["reason"] == "outside"
    assert place(placer, far, unit="không rõ")["reason"] == "outside"
    contradicting = place(placer, far, unit="Xã Bãi Cát")
    assert contradicting["reason"] == "contradiction"
    assert [candidate.code for candidate in contradicting["candidates"]] == [BAI_CAT]
    assert place(placer, near, unit="Xã Đồi Thông")["reason"] == "outside"


def test_the_column_decides_where_the_address_says_nothing(lao_cai: Placer) -> None:
    placed = place(lao_cai, address="số 5 ngõ 3", unit="Phường Sa Pa", day=date(2025, 9, 1))
    assert (placed["commune"], placed["method"], placed["reason"]) == ("03006", "commune", "")
    old = place(lao_cai, address="tổ 3", unit="Xã Quang Kim", day=date(2024, 9, 1))
    assert old["commune"] == "02683"
    unclear = place(lao_cai, address="Sa Pa", unit="03006")
    assert unclear["commune"] == "03006"


def test_of_an_unclear_address_beside_an_unknown_commune_both_are_said(lao_cai: Placer) -> None:
    unclear = place(lao_cai, address="gần trạm bơm", unit="Cụm Bảo Yên")
    assert unclear["reason"] == "unclear_address"
    assert "Cụm Bảo Yên" in unclear["why"] and "The address names no commune" in unclear["why"]


def test_words_that_agree_are_surer_than_each_alone(lao_cai: Placer) -> None:
    address = "Quang Kim, Bát Xát"
    alone = place(lao_cai, address=address)
    for more in ({"unit": "Quang Kim"}, {"district": "Bát Xát"}):
        both = place(lao_cai, address=address, **more)
        assert both["commune"] == alone["commune"] == "02683"
        assert 1 >= both["confidence"] > alone["confidence"]


@pytest.mark.parametrize(
    "words",
    [
        {"address": "xã Quang Kim, huyện Bát Xát", "unit": "04606"},
        {"address": "xã Quang Kim, huyện Bát Xát", "district": "Huyện Văn Chấn"},
        {"unit": "Phường Sa Pa", "district": "Huyện Bát Xát"},
        {"address": "phố Huế, thành phố Hà Nội", "unit": "Phường Sa Pa"},
    ],
)
def test_words_that_contradict_each_other_have_no_place(lao_cai: Placer, words: dict) -> None:
    placed = place(lao_cai, **words)
    assert (placed["reason"], placed["commune"]) == ("contradiction", None)
    assert "mâu thuẫn" in placed["why"] and "contradict each other" in placed["why"]


def test_unclear_clues_that_leave_one_commune_place_it(lao_cai: Placer) -> None:
    assert place(lao_cai, unit="Nam Cường")["reason"] == "unknown_unit"
    placed = place(lao_cai, unit="Nam Cường", district="Thành phố Yên Bái")
    assert (placed["commune"], placed["confidence"]) == ("04273", 0.8)


def test_a_district_alone_is_no_place_but_says_which_communes(lao_cai: Placer) -> None:
    placed = place(lao_cai, district="Huyện Bát Xát")
    assert (placed["reason"], placed["commune"]) == ("unknown_unit", None)
    assert "02683" in {candidate.code for candidate in placed["candidates"]}
    assert "only the district" in placed["why"].lower()
    assert place(lao_cai, district="huyện không có")["reason"] == "unknown_unit"


def test_the_order_and_the_company_of_records_change_nothing(placer: Placer) -> None:
    random = np.random.default_rng(1)
    n = 200
    units = random.choice(["", "Phường Sao Mai", "Xã Bãi Cát", "7"], n).tolist()
    claims = Claims(
        random.uniform(103.95, 104.35, n), random.uniform(22, 22.1, n), [""] * n, units,
        [None] * n, np.full(n, np.nan),
    )  # fmt: skip
    whole = placer.place(claims)
    assert set(whole.reason) == {"", "outside", "contradiction"}
    for i in random.choice(n, 20, replace=False):
        one = place(placer, (claims.lon[i], claims.lat[i]), unit=units[i])
        row = whole.row(int(i))
        assert {name: row[name] for name in ("commune", "reason", "confidence", "why")} == {
            name: one[name] for name in ("commune", "reason", "confidence", "why")
        }


def counted(places: Placements) -> int:
    return int(np.count_nonzero(places.commune != None))  # noqa: E711 (an array)


def test_centres_are_known_by_their_number_and_by_several_communes() -> None:
    shapes = toy_communes().geometry.to_numpy()
    centres = np.array(list(CENTRE.values()))

    def masked(per_centre: int, of_centres: int, off_m: float = 10) -> int:
        lon, lat = np.repeat(centres[:of_centres], per_centre, axis=0).T
        others = np.array([[104.02, 22.02], [np.nan, np.nan]])
        lon = np.concatenate([lon, others[:, 0]])
        lat = np.concatenate([lat + off_m * METRE, others[:, 1]])
        at = centres_at(lon, lat, shapes)
        assert (at[-2:] < 0).all()
        known = np.unique(at[at >= 0])
        records = int((at >= 0).sum())
        return records if stand_for_communes(records, len(known)) else 0

    assert masked(10, 3) == 30
    assert masked(6, 3) == 0, "too few records"
    assert masked(50, 2) == 0, "too few centres: perhaps stations"
    assert masked(10, 3, off_m=60) == 0


def test_a_stated_precision_makes_a_centre_a_point(placer: Placer) -> None:
    lon, lat = np.repeat(np.array(list(CENTRE.values())), 10, axis=0).T
    assert (placer.centres_at(lon, lat, np.full(30, np.nan)) >= 0).all()
    assert (placer.centres_at(lon, lat, np.full(30, 5.0)) < 0).all()


def test_each_of_many_points_has_the_unit_of_its_own_day() -> None:
    """Where no commune of today was there yet, it is that of the first polygons that end later."""
    squares = toy_communes()
    ends = [SINCE - timedelta(days=9_000), SINCE]
    former = {
        end: CellTable.build(
            gpd.GeoDataFrame(
                {"code": [f"{n}{code}" for code in squares["code"]]}, geometry=squares.geometry
            )
        )
        for n, end in enumerate(ends)
    }
    history = with_districts()
    placer = Placer(
        history,
        CellTable.build(squares),
        AddressResolver(history),
        today=TODAY,
        former=dict(reversed(former.items())),
    )
    days = [None, date.min, *(end + timedelta(days=n) for end in ends for n in (-1, 0, 1))]
    points = [*CENTRE.values(), (0.0, 0.0)]
    records = [(point, day) for day in days for point in points]
    nothing = [""] * len(records)
    claims = Claims(
        *np.array([point for point, _ in records]).T,
        nothing,
        nothing,
        [day for _, day in records],
        np.full(len(records), np.nan),
    )
    places = placer.place(claims)

    def expected(code: str | None, day: date | None) -> str | None:
        if code is None or day is None:
            return None
        if day >= SINCE:
            return code
        return f"{int(day >= ends[0])}{code}"

    codes = {point: code for code, point in CENTRE.items()}
    assert places.unit_then.tolist() == [expected(codes.get(point), day) for point, day in records]
    assert places.unit_then[:3].tolist() == [None] * 3
