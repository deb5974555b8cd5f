"""Places of the gazetteer in addresses: laws for any name, and the words that stand around one."""

import random
import time
import unicodedata

import h3
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from gis.boundaries.units import Level, Unit, UnitHistory
from gis.placing.addresses import AddressMatch, AddressResolver
from gis.placing.gazetteer import Gazetteer, NamedPoint
from gis.placing.road_kilometres import KilometrePost, RoadLine, RoadNetwork
from gis.text import without_diacritics

SYLLABLES = (
    "nủ lao chải sín nậm tông pờ séo giàng dền khau vai lếch cát pín ngài thầu hầu phìn ngan gia"
    " lũng pâu chin tráng phúng sảng ma dìn sủ"
).split()
KINDS = {
    "thôn": ("thôn", "Thôn", "bản", "Bản"), "market": ("chợ", "Chợ"),
    "bridge": ("cầu", "Cầu"), "street": ("đường", "phố", "Đ."),
}  # fmt: skip
TA_VAN, BAN_HO = "03037", "03046"


def point(
    name: str, kind: str = "thôn", unit: str = TA_VAN, lon: float = 103.9, **more: object
) -> NamedPoint:
    return NamedPoint(name, kind, lon, 22.3, unit, "survey", "CC0-1.0", **more)  # type: ignore[arg-type]


names = st.lists(st.sampled_from(SYLLABLES), min_size=2, max_size=3).map(
    lambda words: " ".join(words).title()
)
spellings = st.sampled_from(
    [
        str,
        str.upper,
        str.lower,
        without_diacritics,
        lambda text: without_diacritics(text).lower().replace(",", ""),
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: text.replace(", ", " - "),
        lambda text: text.replace(", ", "; "),
    ]
)
kinds = st.sampled_from(["thôn", "market", "bridge"])


@st.composite
def named_places(draw: st.DrawFn) -> tuple[str, str, str, Unit]:
    """A name, its kind, a word for that, and a commune of today."""
    kind = draw(kinds)
    return draw(names), kind, draw(st.sampled_from(KINDS[kind][:3])), draw(communes)


communes = st.deferred(lambda: st.sampled_from(_COMMUNES))
_COMMUNES: list[Unit] = []


@pytest.fixture(scope="module", autouse=True)
def _fill(history: UnitHistory) -> None:
    _COMMUNES[:] = [
        unit for unit in history.units if unit.level is Level.COMMUNE and unit.valid_to is None
    ]


def read(resolver: AddressResolver, text: str, *rows: NamedPoint) -> AddressMatch:
    return resolver.resolve(text, gazetteer=Gazetteer(rows))


@given(place=named_places(), spell=spellings)
def test_any_name_is_found_with_its_commune_in_any_spelling(
    resolver: AddressResolver, place: tuple[str, str, str, Unit], spell
) -> None:
    name, kind, word, commune = place
    text = spell(f"{word} {name}, {commune.full_name}, tỉnh Lào Cai")
    without = resolver.resolve(text).commune
    assume(without is not None and without.code == commune.code)
    row = point(name, kind, commune.code)
    match = read(resolver, text, row, point(name, kind, "00000"))
    assert match.commune is not None and match.commune.code == commune.code
    assert (match.lon, match.lat, match.matched) == (row.lon, row.lat, name)
    assert match.cell == h3.latlng_to_cell(row.lat, row.lon, 11)


@given(place=named_places(), spell=spellings)
def test_a_second_equal_name_makes_candidates(
    resolver: AddressResolver, place: tuple[str, str, str, Unit], spell
) -> None:
    name, kind, word, commune = place
    text = spell(f"{word} {name}, {commune.full_name}, tỉnh Lào Cai")
    without = resolver.resolve(text).commune
    assume(without is not None and without.code == commune.code)
    rows = [point(name, kind, commune.code, lon) for lon in (103.9, 103.95)]
    match = read(resolver, text, *rows)
    assert match.cell is None and match.matched is None
    assert [c.name for c in match.candidates if c.name == name] == [name, name]


@given(place=named_places(), spell=spellings)
def test_without_the_commune_none_is_guessed_where_two_exist(
    resolver: AddressResolver, place: tuple[str, str, str, Unit], spell
) -> None:
    name, kind, word, _ = place
    text = spell(f"{word} {name}, tỉnh Lào Cai")
    rows = [point(name, kind, TA_VAN), point(name, kind, BAN_HO, 104.2)]
    match = read(resolver, text, *rows)
    assert match.cell is None and match.matched is None


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("thôn Séo Mý Tỷ, xã Tả Van", "Séo Mý Tỷ", "village"),
        ("thôn Séo Mí Tỉ, xã Tả Van", "Thôn Séo Mý Tỷ", "village"),
        ("bản Séo Mý Tỷ, xã Tả Van", "Thôn Séo Mý Tỷ", "thôn"),
        ("Séo Mý Tỷ, xã Tả Van", "Séo Mý Tỷ", "village"),
        ("seo my ty ta van sa pa", "Séo Mý Tỷ", "village"),
        ("tổ dân phố số 5, xã Tả Van", "TDP 5", "tổ dân phố"),
        ("TDP số 05, xã Tả Van", "Tổ dân phố 5", "tổ dân phố"),
        ("thôn 3, xã Tả Van", "Thôn 3", "thôn"),
        ("Trường TH Lao Hàng, xã Tả Van", "Trường Tiểu học Lao Hàng", "school"),
        ("trường trung học cơ sở Lao Hàng, xã Tả Van", "THCS Lao Hàng", "school"),
        ("TYT Tả Van, xã Tả Van", "Trạm Y tế Tả Van", "health_post"),
        ("trạm y tế Tả Van, xã Tả Van", "Trạm y tế Tả Van", "health_post"),
        ("số 5 đường Cát Cát, xã Tả Van", "Đường Cát Cát", "street"),
        ("số 5 đ. Cát Cát, xã Tả Van", "Cát Cát", "street"),
        ("ở Séo Mý Tỷ, xã Tả Van", "Séo Mý Tỷ", "village"),
        ("chợ Tả Van, xã Tả Van", "Chợ Tả Van", "market"),
        ("thôn Séo Mý Tỷ (xã Tả Van cũ), xã Tả Van", "Séo Mý Tỷ", "village"),
        ("thôn Séo Mý Tỷ, xã Hầu Thào, Sa Pa", "Séo Mý Tỷ", "village"),
    ],
)
def test_what_people_write_finds_the_place(
    resolver: AddressResolver, text: str, name: str, kind: str
) -> None:
    match = read(resolver, text, point(name, kind))
    assert match.matched == name


@pytest.mark.parametrize(
    "text",
    [
        "giữa chợ Sín Chải và cầu, xã Tả Van",
        "cách chợ Sín Chải 2 km, xã Tả Van",
        "chợ Sín Chải 2 km, xã Tả Van",
        "từ chợ Sín Chải đến suối, xã Tả Van",
        "đường đi chợ Sín Chải, xã Tả Van",
        "không phải chợ Sín Chải, xã Tả Van",
        "trường Sín Chải, xã Tả Van",
        "ông Lý Sín Chải, xã Tả Van",
        "quán Sín Chải, xã Tả Van",
        "Sín Chải plaza, xã Tả Van",
        "chợ Sín Chải, huyện Chương Mỹ, Hà Nội",
        "chợ Sín Chải, xã Bản Hồ",
    ],
)
def test_what_is_only_near_or_of_another_name_finds_nothing(
    resolver: AddressResolver, text: str
) -> None:
    rows = point("Chợ Sín Chải", "market"), point("Sín Chải", "thôn", lon=103.8)
    match = read(resolver, text, *rows)
    assert match.cell is None and match.matched is None


def test_beside_a_place_is_less_exact(resolver: AddressResolver) -> None:
    row = point("Chợ Sín Chải", "market")
    assert read(resolver, "chợ Sín Chải, xã Tả Van", row).precision_m == 100
    assert read(resolver, "gần chợ Sín Chải, xã Tả Van", row).precision_m == 300


def test_the_most_exact_of_several_places_is_taken(resolver: AddressResolver) -> None:
    rows = point("Sín Chải"), point("Cầu Mới", "bridge", lon=103.91)
    match = read(resolver, "cầu Mới, thôn Sín Chải, xã Tả Van", *rows)
    assert match.matched == "Cầu Mới"


def test_one_place_of_two_sources_is_one(resolver: AddressResolver) -> None:
    rows = point("Sín Chải", precision_m=300.0), point("Thôn Sín Chải", lon=103.901)
    match = read(resolver, "thôn Sín Chải, xã Tả Van", *rows)
    assert (match.matched, match.precision_m) == ("Sín Chải", 300)


def test_a_numbered_place_is_not_found_without_its_commune(resolver: AddressResolver) -> None:
    assert read(resolver, "thôn 3, tỉnh Lào Cai", point("Thôn 3")).commune is None


def test_an_alias_finds_the_place_under_its_name(resolver: AddressResolver) -> None:
    row = point("Sín Chải", aliases=("Xín Trải",))
    assert read(resolver, "thôn Xín Trải, xã Tả Van", row).matched == "Sín Chải"


def kilometres(commune: str | None, *, posts: bool = True) -> Gazetteer:
    lines = [RoadLine(_LINE)]
    of_posts = [(["QL4D"], KilometrePost(km, 103.8 + km / 1000, 22.3)) for km in range(100, 110)]
    network = RoadNetwork.of([(["QL4D"], line) for line in lines], of_posts if posts else ())
    return Gazetteer(roads=network, commune_at=lambda lon, lat: commune)


_LINE = shapely.LineString([(103.8, 22.3), (104.2, 22.3)])


def test_a_kilometre_is_found_in_the_commune_named_and_names_one_that_is_not(
    resolver: AddressResolver,
) -> None:
    text = "Km 102+500 QL4D"
    inside = resolver.resolve(f"{text}, xã Tả Van", gazetteer=kilometres(TA_VAN))
    assert inside.matched == "QL4D Km 102+500" and inside.lon == pytest.approx(103.9025)
    alone = resolver.resolve(text, gazetteer=kilometres(TA_VAN))
    assert alone.commune is not None and alone.commune.code == TA_VAN and alone.confidence < 0.8
    for commune in (BAN_HO, None):
        assert resolver.resolve(f"{text}, xã Tả Van", gazetteer=kilometres(commune)).cell is None


def test_a_kilometre_counted_from_where_a_line_starts_needs_the_commune(
    resolver: AddressResolver,
) -> None:
    roads = kilometres(TA_VAN, posts=False)
    assert resolver.resolve("Km 12 QL4D", gazetteer=roads).commune is None
    assert resolver.resolve("Km 12 QL4D, xã Tả Van", gazetteer=roads).cell is not None


def test_ten_times_as_many_names_cost_an_address_little_more(resolver: AddressResolver) -> None:
    """By the least of three times; benchmarks/addresses.py prints how many a second."""
    dice = random.Random(1)
    names = [" ".join(dice.choices(SYLLABLES, k=3)).title() for _ in range(20_000)]
    rows = [point(name, unit=dice.choice(_COMMUNES).code) for name in names]
    full_names = {unit.code: unit.full_name for unit in _COMMUNES}
    texts = [f"số 5, thôn {row.name}, {full_names[row.unit]}, Lào Cai" for row in rows[:1_000]]
    took = []
    for known in (rows[:2_000], rows):
        gazetteer = Gazetteer(tuple(known))
        resolver.resolve(texts[0], gazetteer=gazetteer)  # builds the index
        times = []
        for _ in range(3):
            started = time.process_time()
            matches = [resolver.resolve(text, gazetteer=gazetteer) for text in texts]
            times.append(time.process_time() - started)
        took.append(min(times))
        assert sum(match.cell is not None for match in matches) > 0.9 * len(texts)
    assert took[1] < 3 * took[0], took


@given(
    st.lists(
        st.sampled_from(
            "thôn bản chợ cầu trường đường Sín Chải Tả Van xã Km 102+3 QL4D km - , ( ) + giữa không"
            " gần 5 0 và \n . Ô đ.".split(" ")
        ),
        max_size=14,
    )
)
def test_any_words_in_any_order_are_read_without_an_error(
    resolver: AddressResolver, words: list[str]
) -> None:
    rows = (point("Sín Chải"), point("Chợ Sín Chải", "market", lon=103.8))
    gazetteer = Gazetteer(rows, parts=(kilometres(TA_VAN),), commune_at=lambda lon, lat: TA_VAN)
    match = resolver.resolve(" ".join(words), gazetteer=gazetteer)
    assert (match.cell is None) == (match.matched is None) == (match.lon is None)
    assert match.cell is None or match.commune is not None
