"""Places of layers that addresses name, on a province of three squares (see tests.provinces)."""

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.app import create_app
from gis.access import ANONYMOUS, LOCAL_ADMIN, Principal, Role, create_key
from gis.database.engine import Database
from gis.placing.addresses import AddressMatch
from gis.placing.reference import stored_placer
from gis.settings import Settings
from layers.definition.catalogue import Catalogue, read_layer
from layers.definition.model import Layer
from layers.ingest import loads
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.mode import LoadMode
from layers.ingest.regeocode import regeocode_addresses
from layers.storage.sync import sync
from tests.intake_layers import WORDY
from tests.intake_layers import layer_of as intake_layer
from tests.intake_layers import write_csv as write_records
from tests.integration.ogc_app import app_client

VILLAGES = """
id: villages
title: {vi: Thôn bản, en: Villages}
description: {vi: Thôn bản để thử, en: Villages of a test}
department: {vi: Sở Nội vụ, en: Home Affairs}
licence: CC0-1.0
geometry: point
source: {connector: file, key: key, coordinates: {x: lon, y: lat}}
fields:
  ten: {type: text, label: {vi: Tên, en: Name}}
  other: {type: text, label: {vi: Tên khác, en: Other names}}
  loai: {type: text, label: {vi: Loại, en: Kind}}
  exact_m: {type: number, unit: m, label: {vi: Độ chính xác, en: Precision}}
gazetteer: {name: ten, aliases: other, kind: loai, precision_m: exact_m}
access: {read: READ}
"""
ROADS = """
id: test_roads
title: {vi: Đường, en: Roads}
description: {vi: Đường để thử, en: Roads of a test}
department: {vi: Sở Xây dựng, en: Construction}
licence: CC0-1.0
geometry: line
placed: false
source: {connector: file, key: key}
fields:
  ten: {type: text, label: {vi: Tên, en: Name}}
  km: {type: number, label: {vi: Lý trình đầu, en: Kilometre at the start}}
gazetteer: {name: ten, kind: street, km: km}
"""
POSTS = """
id: test_posts
title: {vi: Cột km, en: Kilometre posts}
description: {vi: Cột km để thử, en: Posts of a test}
department: {vi: Sở Xây dựng, en: Construction}
licence: CC0-1.0
geometry: point
source: {connector: file, key: key, coordinates: {x: lon, y: lat}}
fields:
  duong: {type: text, label: {vi: Đường, en: Road}}
  km: {type: number, label: {vi: Lý trình, en: Kilometre}}
gazetteer: {name: duong, kind: road, km: km}
"""
WORDS = ("id", "lon", "lat", "address", "commune", "note")
HEAD = "key,ten,other,loai,exact_m,lon,lat\n"
ROWS = (
    "1,Làng Nủ,Nủ Thượng;Nủ Hạ,thôn,250,104.05,22.05\n"
    "2,Trường Tiểu học Sao Mai,,school,,104.06,22.06\n"
    "3,Hòa Bình,,thôn,,104.07,22.02\n"
    "4,Hòa Bình,,thôn,,104.17,22.02\n"
    "5,Chợ Đôi,,market,,104.12,22.02\n"
    "6,Chợ Đôi,,market,,104.18,22.08\n"
    "7,Thôn ngoài tỉnh,,thôn,,104.95,22.02\n"
)
DEPARTMENT = Principal("villages", Role.DEPARTMENT, frozenset({"villages"}))


def layer_of(folder: Path, source: str, **words: str) -> Layer:
    for word, value in words.items():
        source = source.replace(word, value)
    layer_id = source.split("id: ")[1].split("\n")[0]
    path = folder / f"{layer_id}.yaml"
    path.write_text(source, "utf-8")
    return read_layer(path)


def publish(database: Database, *layers: Layer) -> None:
    with database.writing() as connection:
        sync(connection, Catalogue(layers))


def load(database: Database, layer: Layer, folder: Path, content: str, name: str = "a.csv") -> None:
    path = folder / name
    path.write_text(content, "utf-8")
    load_file(database, layer, path, LoadOptions("tests", "tests", mode=LoadMode.REPLACE))


def find(database: Database, address: str, principal: Principal = LOCAL_ADMIN) -> AddressMatch:
    with database.reading() as connection:
        return stored_placer(connection, date(2026, 6, 1), principal).address(address)


@pytest.fixture
def villages(toy_province: Database, tmp_path: Path) -> Layer:
    layer = layer_of(tmp_path, VILLAGES, READ="public")
    publish(toy_province, layer)
    load(toy_province, layer, tmp_path, HEAD + ROWS)
    return layer


FOUND = [
    ("thôn Làng Nủ, phường Sao Mai", "Làng Nủ", 104.05, 250),
    ("lang nu, phuong sao mai", "Làng Nủ", 104.05, 250),
    ("bản Nủ Hạ, phường Sao Mai, Lào Cai", "Làng Nủ", 104.05, 250),
    ("trường TH Sao Mai, phường Sao Mai", "Trường Tiểu học Sao Mai", 104.06, 100),
    ("gần trường tiểu học Sao Mai, phường Sao Mai", "Trường Tiểu học Sao Mai", 104.06, 300),
    ("thôn Hoà Bình, xã Bãi Cát", "Hòa Bình", 104.17, 500),
]


def test_a_place_of_a_layer_is_found_within_its_commune(
    toy_province: Database, villages: Layer
) -> None:
    for address, matched, lon, precision_m in FOUND:
        match = find(toy_province, address)
        assert (match.matched, match.lon, match.precision_m) == (matched, lon, precision_m)
        assert match.cell is not None and match.commune is not None


def test_two_places_that_fit_equally_are_candidates(
    toy_province: Database, villages: Layer
) -> None:
    inside = find(toy_province, "chợ Đôi, xã Bãi Cát")
    assert inside.commune is not None and inside.cell is None
    assert [(c.code, c.name) for c in inside.candidates] == [("00004", "Chợ Đôi")] * 2
    nowhere = find(toy_province, "thôn Hòa Bình, tỉnh Lào Cai")
    assert nowhere.commune is None and nowhere.cell is None
    assert {c.code for c in nowhere.candidates} == {"00001", "00004"}


def test_what_is_outside_the_province_or_in_another_commune_adds_nothing(
    toy_province: Database, villages: Layer
) -> None:
    for address in ("thôn Làng Nủ, xã Đồi Thông", "thôn ngoài tỉnh, xã Đồi Thông"):
        assert find(toy_province, address).cell is None


def test_a_changed_layer_is_read_anew(
    toy_province: Database, villages: Layer, tmp_path: Path
) -> None:
    assert find(toy_province, "thôn Mới, xã Đồi Thông").cell is None
    load(toy_province, villages, tmp_path, HEAD + ROWS + "9,Thôn Mới,,thôn,,104.25,22.05\n")
    assert find(toy_province, "thôn Mới, xã Đồi Thông").lon == 104.25
    load(toy_province, villages, tmp_path, HEAD + ROWS)
    assert find(toy_province, "thôn Mới, xã Đồi Thông").cell is None


def test_a_load_that_is_rolled_back_leaves_no_place_behind(
    toy_province: Database, villages: Layer, tmp_path: Path
) -> None:
    insert = text(
        "INSERT INTO layer.villages (geom, source, source_key, ten, loai)"
        " VALUES (ST_SetSRID(ST_MakePoint(:lon, 22.05), 4326), 's', 'k', 'Thôn Xa', 'thôn')"
    )
    address, day = "thôn Xa, xã Đồi Thông", date(2026, 6, 1)
    with pytest.raises(ZeroDivisionError), toy_province.writing() as connection:
        connection.execute(insert, {"lon": 104.25})
        assert stored_placer(connection, day).address(address).lon == 104.25
        raise ZeroDivisionError
    assert find(toy_province, address).cell is None
    with toy_province.writing() as connection:
        connection.execute(insert, {"lon": 104.26})
    assert find(toy_province, address).lon == 104.26


@pytest.mark.parametrize("audience", ["department", "private"])
def test_a_closed_layer_serves_its_readers_and_loads_alone(
    toy_province: Database, tmp_path: Path, audience: str
) -> None:
    layer = layer_of(tmp_path, VILLAGES, READ=audience)
    publish(toy_province, layer)
    load(toy_province, layer, tmp_path, HEAD + ROWS)
    address = "thôn Làng Nủ, phường Sao Mai"
    assert find(toy_province, address, DEPARTMENT).cell is not None
    assert find(toy_province, address, LOCAL_ADMIN).cell is not None
    without = find(toy_province, address, ANONYMOUS)
    assert without.cell is None and without.matched is None and not without.candidates
    other = Principal("other", Role.DEPARTMENT, frozenset({"roads"}))
    assert find(toy_province, address, other) == without
    assert find(toy_province, "chợ Đôi, xã Bãi Cát", ANONYMOUS).candidates == ()


def test_a_layer_that_closes_gives_no_name_away_at_once(
    toy_province: Database, villages: Layer, tmp_path: Path
) -> None:
    address = "thôn Làng Nủ, phường Sao Mai"
    assert find(toy_province, address, ANONYMOUS).cell is not None
    publish(toy_province, layer_of(tmp_path, VILLAGES, READ="private"))
    assert find(toy_province, address, ANONYMOUS).cell is None


def roads(folder: Path, *rows: tuple[str, str, float | None, list[list[float]]]) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"key": key, "ten": name, "km": km},
            "geometry": {"type": "LineString", "coordinates": coordinates},
        }
        for key, name, km, coordinates in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_a_street_has_the_middle_and_length_of_its_part_in_the_commune(
    toy_province: Database, tmp_path: Path
) -> None:
    layer = layer_of(tmp_path, ROADS)
    publish(toy_province, layer)
    both = [[104.06, 22.05], [104.1, 22.05], [104.14, 22.05]]
    load(toy_province, layer, tmp_path, roads(tmp_path, ("1", "Đường Lá", None, both)), "r.geojson")
    here = find(toy_province, "12 đường Lá, phường Sao Mai")
    assert here.lon == pytest.approx(104.08, abs=0.001)
    assert here.precision_m == pytest.approx(4_127, abs=10)  # 0.04° of longitude at 22° N
    there = find(toy_province, "12 đ. Lá, xã Bãi Cát")
    assert there.lon == pytest.approx(104.12, abs=0.001)
    assert find(toy_province, "đường Lá, xã Đồi Thông").cell is None


def test_a_kilometre_is_found_on_a_road_within_the_commune_named(
    toy_province: Database, tmp_path: Path
) -> None:
    layer = layer_of(tmp_path, ROADS)
    publish(toy_province, layer)
    road = [[104.0, 22.05], [104.3, 22.05]]
    content = roads(tmp_path, ("1", "QL.4D", 100, road))
    load(toy_province, layer, tmp_path, content, "r.geojson")
    match = find(toy_province, "sạt lở QL4D Km 102+300, phường Sao Mai")
    assert match.matched == "QL.4D Km 102+300"
    assert match.lon == pytest.approx(104 + 2.3 / 103.2, abs=0.001)
    assert match.precision_m == 100
    alone = find(toy_province, "Km102 quốc lộ 4D")
    assert alone.commune is not None and alone.commune.code == "00001"
    # The kilometre is not there, and the road's part there is no more exact than the commune.
    assert find(toy_province, "Km102 QL4D, xã Đồi Thông").cell is None


def test_posts_of_one_layer_measure_the_road_of_another(
    toy_province: Database, tmp_path: Path
) -> None:
    lines, posts = layer_of(tmp_path, ROADS), layer_of(tmp_path, POSTS)
    publish(toy_province, lines, posts)
    bend = [[104.02, 22.05], [104.04, 22.07], [104.06, 22.05]]
    load(toy_province, lines, tmp_path, roads(tmp_path, ("1", "ĐT.155", None, bend)), "r.geojson")
    rows = "key,duong,km,lon,lat\n1,ĐT155,10,104.02,22.05\n2,Tỉnh lộ 155,14,104.06,22.05\n"
    load(toy_province, posts, tmp_path, rows)
    match = find(toy_province, "Km 12 TL 155, phường Sao Mai")
    assert (match.lon, match.lat) == pytest.approx((104.04, 22.07), abs=1e-4)
    assert match.precision_m == 100


REPORTS = """report_id,happened_at,category,lon,lat,address,commune
1,2026-03-01,traffic,,,"thôn Làng Nủ, phường Sao Mai",
2,2026-03-01,traffic,,,"thôn Vắng, xã Bãi Cát",
3,2026-03-01,traffic,104.05,22.05,,
4,2026-03-01,traffic,,,"thôn Khe, tỉnh Lào Cai",
"""


def test_a_load_says_what_share_of_its_addresses_reached_a_hex(
    toy_province: Database, villages: Layer, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(REPORTS, "utf-8")
    layer = catalogue.get("citizen_reports")
    report = load_file(toy_province, layer, path, LoadOptions("tests", "tests"))
    assert (report.added, report.quarantined, report.address_share) == (3, 1, 0.5)


def test_addresses_are_read_again_when_the_gazetteer_has_grown(
    toy_province: Database, villages: Layer, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(REPORTS, "utf-8")
    layer = catalogue.get("citizen_reports")
    load_file(toy_province, layer, path, LoadOptions("tests", "tests"))
    nothing_new = regeocode_addresses(toy_province, layer)
    assert (nothing_new.addresses, nothing_new.changed, nothing_new.in_hexes) == (2, 0, 1)
    more = "8,Thôn Vắng,,thôn,,104.15,22.05\n9,Khe,,thôn,,104.25,22.05\n"
    load(toy_province, villages, tmp_path, HEAD + ROWS + more)
    version = version_of(toy_province, layer)
    again = regeocode_addresses(toy_province, layer)
    assert (again.addresses, again.changed, again.in_hexes, again.returned) == (2, 1, 3, 1)
    assert version_of(toy_province, layer) == version + 2  # one statement for rows, one for returns
    with toy_province.reading() as connection:
        rows = connection.execute(
            text("SELECT source_key, ST_X(geom), h3 IS NOT NULL FROM layer.citizen_reports")
        )
        assert sorted(map(tuple, rows)) == [
            ("1", 104.05, True), ("2", 104.15, True), ("3", 104.05, True), ("4", 104.25, True),
        ]  # fmt: skip
    load(toy_province, villages, tmp_path, HEAD + ROWS)
    assert (
        regeocode_addresses(toy_province, layer).in_hexes == 2
    )  # 4 is not clear any more: it stays


def test_the_column_of_the_commune_lets_an_address_reach_the_hex(
    toy_province: Database, villages: Layer, tmp_path: Path
) -> None:
    """Of the village in one column and its commune in another, as registers have them."""
    reports = intake_layer({"key": "id", **WORDY}, {"note": "text"})
    publish(toy_province, villages, reports)
    records = [
        ("found", "", "", "thôn Hòa Bình", "Xã Bãi Cát", ""),
        ("twice", "", "", "chợ Đôi", "Xã Bãi Cát", ""),
        ("later", "", "", "Thôn Vắng", "Xã Bãi Cát", ""),
        ("alone", "", "", "", "00004", ""),
    ]
    path = write_records(tmp_path / "mz.csv", WORDS, *records)
    load_file(toy_province, reports, path, LoadOptions("tests", "tests"))
    by_commune = ("commune", None, False)
    assert placed_rows(toy_province) == {
        "found": ("00004", "address", 104.17, True),
        "twice": ("00004", *by_commune),
        "later": ("00004", *by_commune), "alone": ("00004", *by_commune),
    }  # fmt: skip
    confidence = "SELECT place_confidence FROM layer.mz WHERE source_key = 'later'"
    with toy_province.reading() as connection:
        as_loaded = connection.scalar(text(confidence))
    nothing_new = regeocode_addresses(toy_province, reports)
    assert (nothing_new.addresses, nothing_new.changed, nothing_new.without_words) == (3, 0, 0)
    more = "8,Thôn Vắng,,thôn,,104.15,22.05\n"
    load(toy_province, villages, tmp_path, HEAD + ROWS + more)
    again = regeocode_addresses(toy_province, reports)
    assert (again.changed, again.in_hexes) == (1, 2)
    assert placed_rows(toy_province)["later"] == ("00004", "address", 104.15, True)
    with toy_province.reading() as connection:
        assert connection.scalar(text(confidence)) <= as_loaded


def placed_rows(database: Database) -> dict[str, tuple[object, ...]]:
    """By key: commune, method, longitude, and whether there is a hex."""
    with database.reading() as connection:
        found = connection.execute(text(
            "SELECT source_key, commune, place_method, ST_X(geom), h3 IS NOT NULL FROM layer.mz"
        ))  # fmt: skip
        return {key: tuple(place) for key, *place in found}


def version_of(database: Database, layer: Layer) -> int:
    with database.reading() as connection:
        sql = text("SELECT version FROM gis.layer WHERE id = :id")
        return int(connection.execute(sql, {"id": layer.id}).scalar_one())


def test_addresses_are_kept_in_private_and_go_with_their_records(
    toy_province: Database, villages: Layer, catalogue: Catalogue, tmp_path: Path
) -> None:
    layer = catalogue.get("citizen_reports")
    path = tmp_path / "reports.csv"
    for content in (REPORTS, REPORTS.rsplit("2,2026", 1)[0]):
        path.write_text(content, "utf-8")
        load_file(toy_province, layer, path, LoadOptions("tests", "tests", mode=LoadMode.REPLACE))
        with toy_province.writing() as connection:
            kept = connection.execute(text("SELECT source_key FROM private.address")).scalars()
            assert sorted(kept) == (["1", "2"] if content is REPORTS else ["1"])
    with toy_province.reading() as connection, pytest.raises(ProgrammingError, match="permission"):
        connection.execute(text("SELECT * FROM private.address"))


def test_an_address_is_kept_only_of_the_row_that_is_stored(
    toy_province: Database, villages: Layer, tmp_path: Path
) -> None:
    reports = intake_layer({"key": "id", **WORDY}, {"note": "text"})
    publish(toy_province, villages, reports)
    first, second = FOUND[0][0], FOUND[-1][0]

    def load_addresses(mode: LoadMode, **addresses: str) -> LoadReport:
        records = [(key, "", "", address, "", "") for key, address in addresses.items()]
        path = write_records(tmp_path / "mz.csv", WORDS, *records)
        return load_file(toy_province, reports, path, LoadOptions("tests", "tests", mode=mode))

    def kept() -> dict[str, str]:
        with toy_province.writing() as connection:
            found = connection.execute(text("SELECT source_key, address FROM private.address"))
            return {row.source_key: row.address for row in found}

    load_addresses(LoadMode.UPSERT, a=first)
    load_addresses(LoadMode.APPEND, a=second, b=second)
    assert kept() == {"a": first, "b": second}
    report = load_addresses(LoadMode.UPSERT, a=second, b=second, c=second)
    assert (report.updated, kept()) == (1, dict.fromkeys("abc", second))
    with toy_province.writing() as connection:
        loads.revert(connection, reports, report.load_id, LOCAL_ADMIN)
    assert kept() == {"b": second}


def test_nobody_learns_the_places_of_a_closed_layer_from_the_routes(
    toy_province: Database, catalogue: Catalogue, tmp_path: Path
) -> None:
    layer = layer_of(tmp_path, VILLAGES, READ="private")
    publish(toy_province, layer)
    load(toy_province, layer, tmp_path, HEAD + ROWS)
    with toy_province.writing() as connection:
        keys = {
            "reader": create_key(connection, "reader", Role.DEPARTMENT, ("villages",)),
            "other": create_key(connection, "other", Role.DEPARTMENT, ("landslides",)),
            "operator": create_key(connection, "operator", Role.OPERATOR),
        }
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    address = "thôn Làng Nủ, phường Sao Mai"
    with app_client(app) as client:
        for who in ("reader", "other", "operator", None):
            headers = {"X-API-Key": keys[who]} if who else {}
            alone = client.get("/places", params={"address": address}, headers=headers)
            body = {"records": [{"address": address}]}
            (batch,) = client.post("/places", json=body, headers=headers).json()["places"]
            for answer in (alone.json(), batch):
                assert (answer["matched"] == "Làng Nủ") is (who == "reader"), who
                assert (answer["cell"] is not None) is (who == "reader"), who
                assert answer["commune"]["code"] == "00001"
