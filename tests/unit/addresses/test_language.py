"""What people write: each line is an address and the commune of today, or nothing."""

import json
import re
import time
import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gis.boundaries.package_units import package_history
from gis.boundaries.units import Change, UnitHistory
from gis.placing.addresses import AddressResolver

READ = """
591 đường Hoàng Liên, phường Kim Tân, TP Lào Cai|02647
gần chợ Cốc Lếu, phường Lào Cai|02647
đối diện UBND phường Kim Tân, TP Lào Cai|02647
số 5 tổ 12 Kim Tân, Lào Cai|02647
Tổ 5, phường Kim Tân, TP Lào Cai, ĐT: 0214.3872.115|02647
Số nhà 033 phố Kim Đồng - P.Cốc Lếu - TP Lào Cai|02647
P Kim Tân TP Lào Cai|02647
F. Kim Tân, TP LC|02647
PhườngCốcLếu,TPLàoCai|02647
phuongcocleu,tplaocai|02647
Phố Mới, Lào Cai|02647
xaphuckhanhhuyenbaoyentinhlaocai|02998
xa ta van sa pa lao cai|03037
XA TA VAN SAPA LAOCAI|03037
x. Tả Van, h. Sa Pa, t. Lào Cai|03037
Tả-Van - Sa-Pa|03037
Lào Cai, Sa Pa, Tả Van|03037
tỉnh Lào Cai, huyện Bảo Yên, xã Phúc Khánh|02998
22.3364, 103.8438 xã Tả Van, Sa Pa|03037
h.sapa x.taphin|03013
hợp tác xã Tả Phìn, xã Tả Phìn, Sa Pa|03013
Sa Pa ward, Lao Cai province|03006
Cam Duong ward, Lao Cai Province, Vietnam|02671
Ta Van Commune, Sa Pa District, Lao Cai|03037
Bac Ha town, Lao Cai|02839
Tổ 3, P.Cầu Mây, Tx.Sa Pa|03006
khu đô thị mới Lào Cai - Cam Đường, phường Bắc Cường|02671
số nhà 12, ngõ 5, đường Điện Biên, phường Pú Trạng, thị xã Nghĩa Lộ|04288
Nhà máy thủy điện Nậm Toóng, Bản Hồ, Sa Pa|03046
thôn Kim Tân, xã Tả Van, Sa Pa|03037
thôn Phúc Khánh, xã Bảo Yên, tỉnh Lào Cai|02947
UBND xã Tả Van, Sa Pa|03037
xã Quang Kim cũ, nay là xã Bát Xát|02683
xã Bát Xát (xã Quang Kim cũ), tỉnh Lào Cai|02683
phường Lào Cai (phường Kim Tân cũ)|02647
thôn 3 (xã Minh Tân cũ), xã Thượng Hà, tỉnh Lào Cai|02968
xã Điện Quan cũ, xã Thượng Hà|02968
Phường Bắc Cường cũ (nay thuộc phường Cam Đường), Lào Cai|02671
phường Nam Cường cũ, TP Lào Cai|02671
phường Nam Cường mới, tỉnh Lào Cai|04273
Phường Nam Cường (mới), Lào Cai|04273
phường Nam Cường, TP Yên Bái|04273
xã Long Phúc, Bảo Yên|02998
xã San Sả Hồ, Sa Pa|03037
xã Sa Pả, huyện Sa Pa|03006
thị trấn Sa Pa, huyện Sa Pa, Lào Cai|03006
xã Sơn A, huyện Văn Chấn, Yên Bái|04660
TTNT Nghĩa Lộ, Văn Chấn|04663
TT Phong Hải, Bảo Thắng|02902
xã Cốc San, huyện Bát Xát|02746
xã Tân An, huyện Văn Bàn|02989
xã Minh Tân|02968
phường Minh Tân|04252
xã Văn Bàn, huyện Văn Bàn, Lào Cai|03082
TT Trạm Tấu|04585
xã Trạm Tấu, huyện Trạm Tấu|04606
thị trấn Khánh Yên|03082
xã Khánh Yên, tỉnh Lào Cai|03103
xã Nậm Có, MCC, YB|04462
la pan tan, yen bai|04492
xã Tà Xi Láng|04603
Dương Quì, Văn Bàn|03106
Phường Ô Quy Hồ, Sapa|03006
xã Tả Vna, Sa Pa|03037
xã Phúc Khánh, huyện Bảo Ynê|02998
Điẹn Quan, Bảo Yên|02968
phường Cốc Lếu, thàn phố Lào Cai|02647
xã Xín Chéng, Xi Ma Cai|02824
nha ong nguyen van minh xuan giao bao thang lao cai|02923
Sa Pả, Sa Pa|03006
Nam Cuong, TP Lao Cai|02671
phường Nam Cường, Yên Bái|04273
xã Nghĩa Lộ, TX Nghĩa Lộ|04663
phường Nghĩa Lộ, tỉnh Lào Cai|04288
TTNT Liên Sơn, Văn Chấn|04660
xã Trung Tâm, Yên Bái|04363
phuong trung tam, lao cai|04663
xã Nậm Chày, tỉnh Lào Cai|03076
Nậm Chảy, Lào Cai|02761
Nậm Chảy, Mường Khương|02761
xã Tân An|02989
xã Trung Tâm|04363
Phường Lào Cai|02647
Cam Đường, Lào Cai|02671
Âu Lâu|04543
xã Mường Lai, huyện Lục Yên|04345
thôn 5 xã Y Can Trấn Yên YB|04531
Xã Y Tý huyện Bát Xát|02701
y ty bat xat lao cai|02701
A Mú Sung, Bát Xát|02686
Bản Lầu, Mường Khương|02788
TT Si Ma Cai|02809
xã Tả Phìn (Sa Pa)|03013
(xã Tả Phìn), (thị xã Sa Pa)|03013
xã Tả Phìn / thị xã Sa Pa / Lào Cai|03013
xã Tả Phìn; Sa Pa; Lào Cai|03013
xã Tả Phìn_Sa Pa_Lào Cai|03013
xã Tả Phìn. Thị xã Sa Pa. Tỉnh Lào Cai.|03013
Xã Tả Phìn huyện Sa Pa (nay là thị xã Sa Pa)|03013
ĐC: xã Tả Phìn, TX Sa Pa; SĐT 0912345678|03013
Nhà ông Tráng A Lử, thôn Hòa Sử Pán, xã Mường Hoa, Sa Pa|03037
Thôn Lao Chải San, xã Hoàng Liên, Sa Pa|03037
chợ Mường Hum, xã Mường Hum|02728
Nghĩa trang Kim Tân, P. Kim Tân, Lào Cai|02647
Cầu Kim Tân, phường Cốc Lếu|02647
đập thủy điện Bắc Hà, xã Cốc Ly|02890
xã Cốc Ly, Bảo Nhai|02890
xã Bảo Nhai, tỉnh Lào Cai|02890
Nhà máy DAP, TT Tằng Loỏng|02908
tổ 9, Tằng Loỏng, Bảo Thắng|02908
QL 279, xã Văn Sơn, Văn Bàn|03061
xã Võ Lao, huyện Văn Bàn|03061
Xã Võ Lao|03061
xã Bảo Nhai cũ, nay là xã Bảo Nhai|02890
tổ 10 phường Pom Hán cũ (nay là phường Cam Đường) tỉnh Lào Cai|02671
thị trấn Yên Bình, Yên Bái|04714
xã Phú Thịnh, Yên Bình|04279
phường Văn Phú, TP Yên Bái|04279
xã Văn Tiến, TP Yên Bái|04279
xã Văn Lãng, huyện Yên Bình|04279
xã Bảo Hưng, Trấn Yên|04543
xã Việt Cường, huyện Trấn Yên|04564
xã Đào Thịnh, Trấn Yên|04498
Đường Hà Nội, phường Cốc Lếu, TP Lào Cai|02647
số 3 phố Hà Nội, P. Kim Tân|02647
Công ty TNHH Hà Nội, phường Kim Tân, TP Lào Cai|02647
cụm Gia Phú - Xuân Giao - Thống Nhất, Bảo Thắng|02923
gần chợ Cốc Lếu - phường Kim Tân - TP Lào Cai|02647
giữa chợ Cốc Lếu và cầu Kim Tân, phường Cốc Lếu, TP Lào Cai|02647
giữa thôn Tả Van và thôn Bản Hồ, xã Mường Hoa, Sa Pa|03037
đường Cốc Lếu - Kim Tân - Lào Cai|02647
QL 4D đoạn qua xã Trung Chải, Sa Pa|03013
km 5 đường Sa Pa đi Lào Cai, xã Trung Chải, Sa Pa|03013
xã Y Tý giáp xã Mường Hum, Bát Xát|02701
Kim Sơn, Khánh Yên Hạ, Văn Bàn|03103
trung tâm xã Y Tý, Bát Xát|02701
xã Tả Van, phía nam thị xã Sa Pa|03037
phường Fansipan, thị xã Sa Pa|03006
Phan Xi Păng ward, Sa Pa|03006
xã Quang Kim, huyện Bát Xát, tỉnh Hoàng Liên Sơn|02683
xã Minh Quân, Trấn Yên, Hoàng Liên Sơn|04543
xã Minh Tiến, Lục Yên, Yên Bái|04345
xã Minh Tiến, Trấn Yên, Yên Bái|04531
đường Hoàng Liên Sơn, phường Kim Tân, Lào Cai|02647
"""

NOT_READ = """
đường Hoàng Liên, TP Lào Cai
591 Hoàng Liên, Lào Cai
ngã ba Kim Tân, TP Lào Cai
chợ Cốc Lếu, TP Lào Cai
thôn Tả Van, Sa Pa
gần xã Tả Van, Sa Pa
từ xã Tả Van đến xã Bản Hồ
xã Tả Van và xã Bản Hồ, Sa Pa
đường từ Sa Pa đi Lào Cai
hồ Thác Bà, Yên Bình, Yên Bái
khu du lịch Hàm Rồng, Sa Pa
cửa khẩu quốc tế Lào Cai
UBND tỉnh Lào Cai
SAPA, LAO CAI
Lao Cai City, Lao Cai
huyện Bảo Yên, tỉnh Lào Cai
Bảo Thắng, Lào Cai
Yên Bái, Lào Cai
tỉnh Yên Bái
Phường 1, TP Lào Cai
la pan tan, lao cai
xã Minh Quan, huyện Trấn Yên
xã Tân Thịnh, Yên Bái
xã Phúc Khánh nay là xã Bảo Yên
xã Võ Lao, xã Văn Bàn
Xã Hòa Bình, tỉnh Lào Cai
phường Hoàng Liên
xã Tân Hòa, huyện Văn Yên
Khanh Yen, Van Ban
Khánh Yên, Văn Bàn
xã Minh Tiến, Yên Bái
Fansipan, Sa Pa
đỉnh Fansipan, Sa Pa
"""

# Named beside, between or on the way to where the place is, or side by side with another.
NEIGHBOURS = """
giữa xã Cốc Mỳ và xã Dền Thàng, Bát Xát
giữa xã Cốc Mỳ, xã Dền Thàng, huyện Bát Xát
giữa xã Cốc Mỳ, Bát Xát và xã Bản Hồ, Sa Pa
giua xa coc mi va xa den thang, bat xat
nơi giáp ranh giữa hai xã Tả Van và Bản Hồ, Sa Pa
giáp ranh xã Tả Van và xã Bản Hồ, Sa Pa
giáp ranh xã Tả Van & xã Bản Hồ, Sa Pa
giữa phường Kim Tân và phường Bắc Cường, TP Lào Cai
cạnh xã Bản Hồ, Sa Pa
bên kia ranh giới xã Bản Hồ, Sa Pa
phía bắc của xã Y Tý, Bát Xát
cách trung tâm xã Y Tý 5 km, Bát Xát
cách UBND xã Y Tý 10 km
xã Y Tý 5 km về phía bắc
hướng đi xã Mường Hum, Bát Xát
đường nối xã Y Tý với xã Mường Hum
đường liên xã Y Tý - Mường Hum, Bát Xát
đường Mường Hum - Dền Thàng - Y Tý, huyện Bát Xát
đường Mường Hum-Dền Thàng-Y Tý, huyện Bát Xát
tuyến đường Y Tý - Mường Hum, Bát Xát
tuyến Khánh Yên - Nậm Tha, Văn Bàn
TL 155 xã Y Tý đi xã Mường Hum
tuyến Bát Xát đi Y Tý, Lào Cai
thung lũng Mường Hoa, Sa Pa
Nậm Xé, Nậm Chày, Văn Bàn, Lào Cai
Nậm Xé, Nậm Chày, huyện Văn Bàn
Tả Van, Y Tý, Lào Cai
Mường Hum và xã Y Tý, Bát Xát
between Ta Van and Ban Ho communes, Sa Pa
next to Ban Ho commune, Sa Pa
5 km north of Ta Van commune, Sa Pa
"""

ABROAD = """
xã Thanh Bình, huyện Chương Mỹ, Hà Nội
xã Phúc Khánh, huyện Hưng Hà, tỉnh Thái Bình
xã Phúc Khánh, Hưng Hà
phường Tân An, TP Tân An, Long An
quận Phú Nhuận, TP HCM
xã Bản Lang, Phong Thổ, Lai Châu
Vĩnh Yên, Vĩnh Phúc
phường Sa Pa, Hà Nội
tỉnh Khánh Hòa
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def code(resolver: AddressResolver, text: str, day: date | None = None) -> str:
    commune = resolver.resolve(text, day=day).commune
    return commune.code if commune else ""


@pytest.mark.parametrize("line", lines(READ))
def test_what_is_clear_is_read(resolver: AddressResolver, line: str) -> None:
    text, _, expected = line.rpartition("|")
    assert code(resolver, text) == expected


@pytest.mark.parametrize("text", [*lines(NOT_READ), *lines(NEIGHBOURS)])
def test_what_is_not_clear_is_not_answered(resolver: AddressResolver, text: str) -> None:
    match = resolver.resolve(text)
    assert match.commune is None
    assert match.confidence == 0
    assert " / " in match.why


@pytest.mark.parametrize("text", lines(ABROAD))
def test_what_lies_in_another_province_says_so(resolver: AddressResolver, text: str) -> None:
    match = resolver.resolve(text)
    assert match.commune is None
    assert "ngoài tỉnh" in match.why and "outside the province" in match.why


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_the_form_of_unicode_does_not_matter(resolver: AddressResolver, form: str) -> None:
    for line in lines(READ):
        text, _, expected = line.rpartition("|")
        assert code(resolver, unicodedata.normalize(form, text)) == expected  # type: ignore[arg-type]


def test_invisible_and_look_alike_characters_do_not_matter(resolver: AddressResolver) -> None:
    assert code(resolver, "x\u00e3\u200b T\u1ea3\u00a0Van, Sa P\u0430") == "03037"  # Cyrillic а
    assert code(resolver, "xã Ðiện Quan, Bảo Yên") == "02968"  # the Icelandic letter


@pytest.mark.parametrize("text", ["", "   ", ",,,", "123", "\n\t", "📍", "xã", "P.", "a" * 5_000])
def test_text_without_a_place_is_not_answered(resolver: AddressResolver, text: str) -> None:
    assert resolver.resolve(text).to_dict()["commune"] is None


def test_a_day_before_the_reform_settles_what_the_era_leaves_open(
    resolver: AddressResolver,
) -> None:
    text = "phường Trung Tâm, tỉnh Yên Bái"
    assert code(resolver, "phường Nam Cường, Lào Cai", date(2026, 1, 1)) == ""
    match = resolver.resolve(text, day=date(2024, 9, 10))
    assert match.unit_then is not None
    assert match.unit_then.full_name == "Phường Trung Tâm"
    assert match.unit_then.valid_to == date(2025, 7, 1)


def test_the_answer_has_the_promised_shape(resolver: AddressResolver) -> None:
    answer = resolver.resolve("xã Quang Kim, huyện Bát Xát").to_dict()
    assert list(answer) == [
        "commune", "era", "confidence", "precision_m", "cell", "candidates", "why",
    ]  # fmt: skip
    assert answer["commune"] == {"code": "02683", "name": "Xã Bát Xát"}
    assert answer["era"] == "old"
    assert answer["cell"] is None
    assert 1_000 < answer["precision_m"] < 10_000
    assert "nay thuộc Xã Bát Xát" in answer["why"]
    silent = resolver.resolve("xã Thanh Bình, tỉnh Lào Cai").to_dict()
    assert silent["commune"] is None
    assert {c["code"] for c in silent["candidates"]} == {"02761", "03046"}
    assert all(set(c) == {"code", "name", "why"} for c in silent["candidates"])


def test_an_old_and_a_new_reading_with_one_end_are_told_apart_by_era(
    resolver: AddressResolver,
) -> None:
    assert resolver.resolve("xã Phúc Khánh, tỉnh Lào Cai").era == "either"
    assert resolver.resolve("xã Phúc Khánh, huyện Bảo Yên").era == "old"
    assert resolver.resolve("Xã Hạnh Phúc, tỉnh Lào Cai").era == "new"


def test_confidence_grows_with_what_the_text_says(resolver: AddressResolver) -> None:
    texts = ["Tả Phìn, Lào Cai", "xã Tả Phìn, Lào Cai", "xã Tả Phìn, Sa Pa, Lào Cai"]
    found = [resolver.resolve(text).confidence for text in texts]
    assert found == sorted(found) and len(set(found)) == 3
    misspelt = resolver.resolve("xã Tả Phìm, Sa Pa, Lào Cai").confidence
    assert misspelt < found[-1]


def test_a_name_that_is_a_district_s_too_is_answered_with_doubt(resolver: AddressResolver) -> None:
    for text in ("sa pa, sa pa", "Sa Pa, thị xã Sa Pa", "Bát Xát, Lào Cai"):
        match = resolver.resolve(text)
        assert match.commune is not None and match.confidence < 0.7, text
    assert {"02683", "02701", "02746"} <= {c.code for c in match.candidates}


def test_a_split_ward_of_another_province_is_not_guessed() -> None:
    history = package_history("01")
    split = next(change for change in history.changes if change.estimated)
    parts = {change.new for change in history.changes if change.old == split.old}
    ward = next(u for u in history.units if u.code == split.old and u.valid_to)
    district = next(u for u in history.units if u.code == ward.parent)
    resolver = AddressResolver(history)
    match = resolver.resolve(f"{ward.full_name}, {district.full_name}, Thành phố Hà Nội")
    assert match.commune is None
    assert parts <= {candidate.code for candidate in match.candidates}


def test_an_hour_of_a_busy_day_is_read_in_a_second(resolver: AddressResolver) -> None:
    texts = [line.rpartition("|")[0] for line in lines(READ)] * 20
    started = time.process_time()
    resolver.resolve_many(texts)
    assert len(texts) / (time.process_time() - started) > 2_000


def test_the_examples_of_the_how_to_are_true(resolver: AddressResolver) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "addresses.md"
    text = page.read_text("utf-8")
    rows = re.findall(r"^\| (.+) \| (\d{5}|–) \|$", text, re.MULTILINE)
    assert len(rows) == 10
    for address, expected in rows:
        assert code(resolver, address) == expected.strip("–"), address
    (shown,) = re.findall(r"^\{.*?\}$", text, re.MULTILINE | re.DOTALL)
    answer = resolver.resolve("xã Quang Kim, huyện Bát Xát, tỉnh Lào Cai").to_dict()
    assert json.loads(shown) == answer


@pytest.fixture(scope="module")
def renamed(history: UnitHistory) -> AddressResolver:
    """A resolver after one more reform: Xã Si Ma Cai became a ward with another name."""
    day = date(2026, 4, 30)
    was = next(u for u in history.units if u.code == "02809" and u.valid_to is None)
    now = replace(was, name="Cán Mới", full_name="Phường Cán Mới", kind="Phường", valid_from=day)
    units = [unit for unit in history.units if unit is not was]
    changes = (*history.changes, Change("02809", "02809", day))
    return AddressResolver(UnitHistory((*units, replace(was, valid_to=day), now), changes))


def test_a_later_change_is_followed_from_every_name_before_it(renamed: AddressResolver) -> None:
    for text in (
        "thị trấn Si Ma Cai, huyện Si Ma Cai",
        "xã Si Ma Cai, tỉnh Lào Cai",
        "xã Cán Cấu, Si Ma Cai",
        "phường Cán Mới, tỉnh Lào Cai",
    ):
        commune = renamed.resolve(text).commune
        assert commune is not None and commune.full_name == "Phường Cán Mới", text


def test_the_unit_of_a_day_between_two_reforms_is_the_one_of_that_day(
    renamed: AddressResolver,
) -> None:
    match = renamed.resolve("xã Si Ma Cai, tỉnh Lào Cai", day=date(2025, 9, 1))
    assert match.unit_then is not None and match.commune is not None
    assert (match.unit_then.full_name, match.commune.full_name) == (
        "Xã Si Ma Cai",
        "Phường Cán Mới",
    )


def test_a_unit_whose_end_led_nowhere_known_is_not_answered(history: UnitHistory) -> None:
    changes = tuple(change for change in history.changes if change.old != "02734")
    lost = AddressResolver(UnitHistory(history.units, changes))
    assert lost.resolve("xã Quang Kim, huyện Bát Xát").commune is None
