"""Vocabulary of Vietnamese addresses besides names: types of units, landmarks, relations.

All keys are written without blanks and diacritics, with `i` for `y` (see `gis.placing.addresses.
tokens`); `SPELT` guards short words whose marks tell them from other words.
"""

from dataclasses import dataclass

from gis.boundaries.units import Level


@dataclass(frozen=True, slots=True)
class UnitType:
    """The kinds of unit that a type word may mean. `firm` words always head a unit's name."""

    kinds: frozenset[str]
    firm: bool = True


LEVEL_OF_KIND = {
    "Tỉnh": Level.PROVINCE,
    "Thành phố": Level.DISTRICT,
    "Thị xã": Level.DISTRICT,
    "Huyện": Level.DISTRICT,
    "Quận": Level.DISTRICT,
    "Phường": Level.COMMUNE,
    "Xã": Level.COMMUNE,
    "Thị trấn": Level.COMMUNE,
    "Đặc khu": Level.COMMUNE,
}


def _type(*kinds: str, firm: bool = True) -> UnitType:
    return UnitType(frozenset(kinds), firm)


_PROVINCE = _type("Tỉnh")
_CITY = _type("Thành phố")
_TOWN = _type("Thị trấn")
_FARM_TOWN = _TOWN

TYPES: dict[str, UnitType] = {
    "tinh": _PROVINCE,
    "t": _type("Tỉnh", firm=False),
    "thanhpho": _CITY,
    "tp": _CITY,
    "thixa": _type("Thị xã"),
    "tx": _type("Thị xã"),
    "huien": _type("Huyện"),
    "h": _type("Huyện", firm=False),
    "quan": _type("Quận", firm=False),
    "q": _type("Quận", firm=False),
    "phuong": _type("Phường"),
    "p": _type("Phường", firm=False),
    "f": _type("Phường", firm=False),
    "xa": _type("Xã"),
    "x": _type("Xã", firm=False),
    "thitran": _TOWN,
    "tt": _type("Thị trấn", firm=False),
    "thitrannongtruong": _FARM_TOWN,
    "thitrannt": _FARM_TOWN,
    "ttnongtruong": _FARM_TOWN,
    "ttnt": _FARM_TOWN,
    "ttr": _TOWN,
    "nongtruong": _type("Thị trấn", firm=False),
    "dackhu": _type("Đặc khu"),
    "commune": _type("Xã"),
    "ward": _type("Phường"),
    "district": _type("Huyện", "Quận"),
    "citi": _CITY,
    "province": _PROVINCE,
}
TYPES_AFTER: dict[str, UnitType] = {
    "ward": _type("Phường"),
    "commune": _type("Xã"),
    "district": _type("Huyện", "Quận", "Thị xã"),
    "dist": _type("Huyện", "Quận", "Thị xã"),
    "citi": _CITY,
    "province": _PROVINCE,
    "prov": _PROVINCE,
    "town": _type("Thị trấn", "Thị xã"),
    "township": _TOWN,
    "townlet": _TOWN,
}

# A type word with marks is one only with these; without any mark it always may be.
SPELT: dict[str, frozenset[str]] = {
    "xa": frozenset({"xã"}),
    "tinh": frozenset({"tỉnh"}),
    "phuong": frozenset({"phường", "phừơng", "phuờng", "phừong"}),
    "quan": frozenset({"quận"}),
    "p": frozenset(),
    "t": frozenset(),
    "x": frozenset(),
    "h": frozenset(),
    "q": frozenset(),
    "f": frozenset(),
}

# The last word before a name that makes it the name of a landmark, street or village.
LANDMARKS = frozenset(
    """thon ban lang xom ap to doi khu pho duong ngo ngach hem cho cau ho suoi nui deo doc ga den
    chua mieu dinh nga ba tu cong nghiep hoc thcs thpt ptdt ptdtbt ptth mamnon non tram te vien xe
    san quan ti tnhh cp may dien mo thac dong hang khau lo ql tl dt hl bien hotel homestay resort
    villa karaoke cafe coffee spa bar nhahang khachsan ks cti ctcp htx hop tac xuong kho bai ben
    dap song ngoi rung vuon quoc danh thang sieu winmart ubnd hdnd uban nhandan dan truso so tdp
    kdc kcn ccn kdt toanha chungcu lau tang nguien bang nhanh street road st rd market bridge
    hospital school village hamlet station lake cave waterfall park cable treo com pho bun hoa nha
    lich truong tuien thung lung tho phien dem dai noc mom nguon bia vuc khe""".split()
)
# Words after which comes where the place is; institutions that sit in the unit of their name.
INTRODUCTIONS_SPELT = (
    " tại", " ở", " thuộc", " trong", " đoạn", " gồm", " cụm", " là", " nhập từ", " địa bàn",
    " địa phận", " trung tâm", " in", " at", " now", " border of", " area of", " centre of",
    " center of",
)  # fmt: skip
INTRODUCTIONS_PLAIN = (
    " tai", " o", " thuoc", " trong", " doan", " gom", " cum", " la", " nhap tu", " dia ban",
    " dia phan", " trung tam", " in", " at", " now", " border of", " area of", " centre of",
    " center of",
)  # fmt: skip
INSTITUTIONS = tuple(
    f" {words}"
    for words in (
        "ubnd", "hdnd", "uiban nhan dan", "ban nhan dan", "tram i te", "do mua", "bien phong",
        "cong an", "cong nghiep", "kcn", "ccn",
    )
)  # fmt: skip
# Keys of what happens at a place, right after its name: `ở Y Tý bị ngập`.
EVENTS = frozenset("bi dang da mat sat ngap lu mua co tu hom xai hien van".split())
# Keys of words of kind or praise between a type and its name.
DESCRIPTIONS = frozenset(
    """bien gioi vung cao sau xa moi cu mien nui dac biet kho khan ngheo nong thon thuan kieu
    mau tren dia ban cua la""".split()
)
# Type words of communes.
COMMUNE_TYPES = (" xa", " phuong", " thi tran", " tt", " ttr")
PERSONS = frozenset("ong ba anh chi em co chu bac di cau thai".split())
# Words for a village that no other word is spelt like.
VILLAGES_SPELT = frozenset({"thôn", "bản", "làng", "xóm", "ấp"})
VILLAGES_PLAIN = frozenset({"thon", "lang", "xom"})
# Words for a village or a quarter.
VILLAGE_WORDS = frozenset("thon ban lang xom ap to doi khu pho".split())
# Offices that sit in the unit whose name follows them.
OFFICES = frozenset("ubnd hdnd uban nhandan dan truso thcs thpt hoc non te an quanlo tram".split())

# Words of other languages and of text without diacritics; keys as they are written.
_RELATIONS_ENGLISH = """near opposite to from towards between next beside adjacent bordering
    outside north south east west""".split()
RELATIONS_SPELT = frozenset(
    """gần cạnh giáp cách đến tới từ đi về lên xuống vào qua quá giữa hướng diện sang ranh sát kề
    cận quanh ven nối phía ngoài khỏi kia""".split()
    + _RELATIONS_ENGLISH
)
RELATIONS_PLAIN = frozenset(
    "gan giap cach giua canh tu di ve len vao qua ranh phia quanh noi kia".split()
    + _RELATIONS_ENGLISH
)
# Words that deny where a place lies: at once, or before one of `DENIED_BY` (`not in`).
EXCEPTIONS_SPELT = frozenset("trừ ngoại except excluding excepting without outside".split())
EXCEPTIONS_PLAIN = frozenset("tru except excluding excepting without outside".split())
DENIALS_SPELT = frozenset(
    """không chưa chẳng chả đâu ko khong k0 not never isn doesn cannot neither nor""".split()
)
DENIALS_PLAIN = frozenset("khong chua chang ko k0 not never isn doesn cannot neither nor".split())
# Keys of what may stand between a denial and the name denied.
DENIED_BY = frozenset(
    """phai thuoc o nam trong tai dia ban phan ro biet la chac con den tu cua khu vuc cac ngoai tru
    co in at of on from within inside part the to sure whether it is lie lies located belong belongs
    t hay xem""".split()
)
# An office beside which a place lies is in the same unit.
BESIDE = frozenset("gần cạnh diện sát kề vào gan canh vao near opposite next beside".split())
# Relations to two units.
ENDS = frozenset("giữa giua between nối noi từ tu from".split())
STARTS = frozenset({"từ", "from"})
# Keys of words after which `từ` says when, not where.
TIMES = frozenset("ngai dem sang trua chieu toi thang nam gio h khi luc hom tuan".split())
# What may stand between such a word and a name.
THROUGH = frozenset(
    """trung tam cua dia phan gioi ranh giap lien huong bac nam dong tai sau truoc tren duoi ben
    khu vuc voi ca cac nhung hai 2 3 4 lan can xung dau cuoi chan dinh
    doan the of door border boundari""".split()
)
LENGTHS = frozenset("km m met cai kilomet kilometers".split())
# Words between two units that are named side by side, and between the ends of a way.
AND_SPELT = frozenset("và với hoặc hay cùng lẫn and or va".split())
AND_PLAIN = frozenset("va voi hoac and or".split())
WAY_SPELT = frozenset("đi đến tới sang qua về lên xuống ra to".split())
WAY_PLAIN = frozenset("di den toi sang qua ve to".split())
# Before a second unit: the place is in either, or on the way between.
BETWEEN = frozenset("đến tới qua sang den toi to".split())
ROADS = frozenset("duong tuien ql tl dt hl lo truc toc cung hanhlang".split())
ROADS_AFTER = frozenset("road rd route highwai street st wai trail track".split())
# What may stand between a word for a road and the places that it joins.
ROAD_WORDS = frozenset("tinh quoc huien lien xa thon noi tu doan so giua cao".split())
# Keys of the words from which units named together follow.
COMPANY_WORDS = (
    frozenset({"giua", "canh", "sat", "ke", "noi", "phia", "ngoai", "hoac", "hai", "cung", "lan"})
    | DENIALS_PLAIN | EXCEPTIONS_PLAIN | RELATIONS_PLAIN | AND_PLAIN | WAY_PLAIN | ROADS
    | ROADS_AFTER
)  # fmt: skip
OLD_AFTER = frozenset({"cũ", "cu", "old", "former"})
NEW_AFTER = frozenset({"mới", "moi", "new"})
# Keys of what `trước` (before) and `sau` (after) a name tell of, where that is the reform.
REFORM = frozenset("sap nhap 1 7 2025 ngai thang khi dot doi thai".split())
# Keys of the words from which an era may follow.
ERA_WORDS = frozenset(
    "cu moi old new former nai now truoc sau nguien von xua formerli nhap gio".split()
)
COUNTRY = frozenset({"vietnam", "vn", "cuonghoaxahoichunghiavietnam"})
# Counted places: a name after "tổ 5" is not the name of a street, one after "số 5" is.
COUNTED = frozenset(
    "to khu thon doi xom ban ap km khom cum tdp pho khuvuc kv dan ql tl dt lo".split()
)
HOUSE = frozenset("so sn ngo ngach hem nha duong".split())
NOISE = frozenset(
    """viet nam vn dia chi dc d c tai thuoc o dia ban khu vuc so nha sn lien he sdt dt tel phone
    km ql hem ngo ngach kiet truoc sau la nai cu moi hien tren trong va cua noi trung
    tam""".split()
)
