"""Rules by the words around a name: each decides its example; names of other things are none."""

import pytest

from gis.boundaries.units import UnitHistory
from gis.placing.addresses import AddressResolver
from gis.placing.addresses.names import Names
from gis.placing.addresses.reader import Reader
from gis.placing.addresses.rules import RULES, NameContext, Rule, surroundings_of
from gis.placing.addresses.tokens import segments

# Each stands before or after the name of a commune, and makes it the name of something else.
BEFORE = """
chị Nguyễn Thị
cô giáo
nhà hàng
nhà nghỉ
homestay
công ty CP
doanh nghiệp tư nhân
phòng khám
quán cà phê
cửa hàng xăng dầu
siêu thị
ngân hàng
thầy thuốc
xe khách
cáp treo
lễ hội
ruộng bậc thang
suối
đèo
chùa
trường mầm non
khách sạn
gara
bãi đỗ xe
""".strip().splitlines()
AFTER = """
road
street
hotel
homestay
market
hospital
supermarket
company
village
mountain
lake
bridge
valley
National Park
post office
church
clinic
bus station
JSC
cable car
""".strip().splitlines()
DENIALS = """
không phải
không thuộc
không ở
không nằm trong
không thuộc địa bàn
chưa rõ
chưa biết có phải
trừ
ngoại trừ
ngoài
ngoài địa bàn
not in
not part of
except
outside
""".strip().splitlines()
# With a negation that says nothing of the unit.
STILL_READ = """
không rõ số nhà, xã Tả Van, Sa Pa
đường không tên, xã Tả Van, Sa Pa
cảng hàng không xã Tả Van, Sa Pa
không có điện tại xã Tả Van, Sa Pa
tạm trú xã Tả Van, Sa Pa
tru tai xa ta van, sa pa
thuong tru xa ta van, sa pa
""".strip().splitlines()


@pytest.fixture(scope="module")
def reader(history: UnitHistory) -> Reader:
    return Reader(Names(history))


def names_in(reader: Reader, text: str) -> list[NameContext]:
    mentioned = reader.find(segments(text))
    return [surroundings_of(mentioned, i) for i in range(len(mentioned.mentions))]


def deciding(around: NameContext, without: Rule | None = None) -> Rule:
    return next(rule for rule in RULES if rule is not without and rule.applies(around))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_decides_its_example(resolver: AddressResolver, reader: Reader, rule: Rule) -> None:
    commune = resolver.resolve(rule.example).commune
    assert (commune.code if commune else "") == rule.commune
    assert rule in [deciding(around) for around in names_in(reader, rule.example)]


@pytest.mark.parametrize("rule", RULES[:-1], ids=lambda rule: rule.name)
def test_without_a_rule_its_example_would_be_read_otherwise(reader: Reader, rule: Rule) -> None:
    (around,) = [a for a in names_in(reader, rule.example) if deciding(a) is rule][-1:]
    assert deciding(around, without=rule).effect is not rule.effect


@pytest.mark.parametrize("text", [f"{words} Tả Van, Sa Pa" for words in BEFORE]
                         + [f"Ta Van {words}, Sa Pa" for words in AFTER])  # fmt: skip
def test_a_name_among_other_words_is_no_commune(resolver: AddressResolver, text: str) -> None:
    match = resolver.resolve(text)
    assert match.commune is None
    assert "03037" in {candidate.code for candidate in match.candidates}


@pytest.mark.parametrize("unit", ["xã Tả Van", "Tả Van", "Ta Van commune"])
@pytest.mark.parametrize("words", DENIALS)
def test_a_denied_name_is_no_answer(resolver: AddressResolver, words: str, unit: str) -> None:
    assert resolver.resolve(f"{words} {unit}, Sa Pa").commune is None


@pytest.mark.parametrize("text", STILL_READ)
def test_a_negation_of_something_else_does_not_silence(
    resolver: AddressResolver, text: str
) -> None:
    match = resolver.resolve(text)
    assert match.commune is not None and match.commune.code == "03037"
    assert match.confidence >= 0.8


def test_beside_a_denied_name_another_is_read_with_doubt(resolver: AddressResolver) -> None:
    match = resolver.resolve("không thuộc xã Trung Chải mà thuộc xã Tả Van, Sa Pa")
    assert match.commune is not None and match.commune.code == "03037"
    assert match.confidence < 0.8


def test_a_name_that_only_hints_is_read_with_doubt(resolver: AddressResolver) -> None:
    for text in ("UBND Tả Van, Sa Pa", "cụm công nghiệp Tằng Loỏng, Bảo Thắng"):
        match = resolver.resolve(text)
        assert match.commune is not None and 0 < match.confidence < 0.8, text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("phường Nam Cường (trước sáp nhập), TP Lào Cai", "02671"),
        ("phường Nam Cường (trước 1/7/2025), tỉnh Lào Cai", ""),
        ("phường Nam Cường sau sắp xếp, Lào Cai", "04273"),
        ("phường Nam Cường (sau sáp nhập), Lào Cai", "04273"),
    ],
)
def test_before_and_after_the_reform_tell_the_era(
    resolver: AddressResolver, text: str, code: str
) -> None:
    commune = resolver.resolve(text).commune
    assert (commune.code if commune else "") == code


def test_tones_tell_names_whose_letters_are_misspelt(resolver: AddressResolver) -> None:
    for text, code in (("xã Minh Quần, tỉnh Lào Cai", ""), ("xã Nậm Chãy, tỉnh Lào Cai", ""),
                       ("xã Nậm Chẩy, tỉnh Lào Cai", "02761")):  # fmt: skip
        commune = resolver.resolve(text).commune
        assert (commune.code if commune else "") == code, text


def test_the_other_former_province_is_forgiven_with_doubt(resolver: AddressResolver) -> None:
    match = resolver.resolve("xã Tả Van, thị xã Sa Pa, tỉnh Yên Bái")
    assert match.commune is not None and match.commune.code == "03037"
    assert match.confidence < 0.8


@pytest.mark.parametrize(
    "text",
    [
        "thầy Trần Quang Minh, Văn Yên",  # no misspelt `thị trấn`
        "Sapa market, Sapa",
        "ranh giới phường Cốc Lếu - Bắc Lệnh, TP Lào Cai",
        "Ta Van - Lao Chai highway, Sa Pa",
        "xã Bản Phố, Quan Bạ",
    ],
)
def test_what_looks_like_a_commune_is_not_answered(resolver: AddressResolver, text: str) -> None:
    assert resolver.resolve(text).commune is None
