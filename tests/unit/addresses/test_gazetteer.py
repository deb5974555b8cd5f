"""Landmarks and villages: read from a file, and used where a text names one."""

from pathlib import Path

import h3
import pytest

from gis.errors import BadFile
from gis.placing.addresses import AddressResolver
from gis.placing.gazetteer import Gazetteer, NamedPoint, name_key, read_gazetteer

HEAD = "name,kind,lon,lat,unit,source,licence\n"


def point(name: str, kind: str, unit: str, lon: float = 104.0, lat: float = 22.4) -> NamedPoint:
    return NamedPoint(name, kind, lon, lat, unit, "survey", "CC0-1.0")


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer(
        (
            point("Làng Nủ", "village", "02998", 104.4601, 22.3002),
            point("Chợ Cốc Lếu", "market", "02647", 103.9693, 22.5012),
            point("Hoà Bình", "village", "02998", 104.4, 22.3),
            point("Hòa Bình", "village", "02905", 104.2, 22.3),
            point("Cốc Lếu", "village", "02839", 104.3, 22.5),
            point("Tả Van", "village", "03037", 103.89, 22.3),
        )
    )


def test_a_village_gives_its_point_and_cell(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    match = resolver.resolve("thôn Làng Nủ, xã Phúc Khánh, Bảo Yên", gazetteer=gazetteer)
    assert match.commune is not None and match.commune.code == "02998"
    assert (match.lon, match.lat) == (104.4601, 22.3002)
    assert match.cell == h3.latlng_to_cell(22.3002, 104.4601, 11)
    assert match.precision_m == 500


def test_a_landmark_names_the_commune_that_the_text_left_open(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    text = "cho coc leu, TP Lao Cai"
    assert resolver.resolve(text).commune is None
    match = resolver.resolve(text, gazetteer=gazetteer)
    assert match.commune is not None and match.commune.code == "02647"
    assert "Chợ Cốc Lếu (survey)" in match.why


def test_a_name_that_two_places_bear_is_used_within_the_unit_named_only(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    inside = resolver.resolve("thôn Hòa Bình, xã Phúc Khánh, Bảo Yên", gazetteer=gazetteer)
    anywhere = resolver.resolve("thôn Hòa Bình, tỉnh Lào Cai", gazetteer=gazetteer)
    assert inside.lon == 104.4
    assert anywhere.commune is None and anywhere.cell is None


def test_a_landmark_of_another_unit_adds_nothing(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    match = resolver.resolve("Làng Nủ, xã Tả Van, Sa Pa", gazetteer=gazetteer)
    assert match.commune is not None and match.commune.code == "03037"
    assert match.cell is None


def test_a_commune_is_not_its_village_of_the_same_name(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    assert resolver.resolve("xã Tả Van, Sa Pa", gazetteer=gazetteer).cell is None


def test_a_market_is_not_the_village_it_is_named_after(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    village_only = Gazetteer(tuple(row for row in gazetteer.rows if row.kind == "village"))
    assert resolver.resolve("chợ Cốc Lếu, Bắc Hà", gazetteer=village_only).cell is None


def test_a_landmark_does_not_bring_an_address_home_from_abroad(
    resolver: AddressResolver, gazetteer: Gazetteer
) -> None:
    match = resolver.resolve("thôn Làng Nủ, huyện Chương Mỹ, Hà Nội", gazetteer=gazetteer)
    assert match.commune is None and match.cell is None


def test_the_key_forgives_case_marks_blanks_and_y() -> None:
    assert name_key("Chợ  Cốc-Lếu") == name_key("cho coc leu") == "chococleu"
    assert name_key("Y Tý") == name_key("I TÍ")


def test_a_table_is_read_with_its_optional_columns(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    path.write_text("\ufeff" + HEAD + "Ga Phố Lu,station,104.18,22.32,,survey,CC0\n", "utf-8")
    (row,) = read_gazetteer(path).rows
    assert row == NamedPoint("Ga Phố Lu", "station", 104.18, 22.32, "", "survey", "CC0")
    path.write_text("name,lon,lat\nGa Phố Lu,104.18,22.32\n", "utf-8")
    assert read_gazetteer(path).rows[0].kind == ""


def test_geonames_rows_are_read_by_their_columns_and_units_left_out(tmp_path: Path) -> None:
    rows = [
        ["1", "Bản Lếch", "Ban Lech", "", "22.31", "103.88", "P", "PPL", "VN", *[""] * 10],
        ["2", "Tỉnh Lào Cai", "Lao Cai", "", "22.3", "104.1", "A", "ADM1", "VN", *[""] * 10],
    ]
    path = tmp_path / "VN.txt"
    path.write_text("\n".join("\t".join(row) for row in rows), "utf-8")
    assert read_gazetteer(path).rows == (
        NamedPoint("Bản Lếch", "village", 103.88, 22.31, "", "GeoNames", "CC BY 4.0"),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,kind\nA,B\n", "no column lat, lon"),
        (HEAD + 'A,b,"104,1",22.3,,s,l\n', "line 2: lon '104,1'"),
        (HEAD + "A,b,22.3,104.1,,s,l\n", "no degrees of WGS 84"),
        (HEAD + ",b,104.1,22.3,,s,l\n", "the name is empty"),
    ],
)
def test_a_faulty_table_is_refused_with_the_place_of_the_fault(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "places.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(BadFile, match=said):
        read_gazetteer(path)


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    path.write_bytes(HEAD.encode() + "Phố".encode("utf-16"))
    with pytest.raises(BadFile, match="UTF-8"):
        read_gazetteer(path)
