"""HTTP feeds: each shape, each way of paging, logins, and what is no answer."""

import gzip
import json
import zlib
from contextlib import closing
from datetime import UTC, datetime

import pytest

from api.demo_sources.feeds import CLIENT, CLIENT_SECRET, KEY, DemoFeeds
from api.demo_sources.server import DemoAnswer, json_answer
from gis.clock import HERE
from gis.connectors.http import HttpConnector
from gis.errors import BadFile, BadInput, SourceRefused, SourceUnavailable
from tests.integration.connectors.faulty import connector, faulty, first_batch, read, surroundings

NOW = datetime(2026, 9, 1, 5, 30, tzinfo=UTC)
LETTERS = [{"id": n} for n in range(7)]


@pytest.fixture(scope="module")
def demo():
    return DemoFeeds(lambda: NOW)


@pytest.fixture(scope="module")
def feeds(demo):
    with faulty(demo.pages()) as server:
        yield server


@pytest.fixture
def pages():
    """A server whose pages a test makes."""
    with faulty({}) as server:
        yield server


def key(value: str):
    return surroundings({"K": value})


LGSP = {
    "records": "data.content",
    "total": "data.totalElements",
    "check": {"code": ["200"]},
    "query": {"updatedAfter": "{since}"},
    "pages": {"style": "number", "size_parameter": "size", "size": 25},
    "changes": {"column": "ngayCapNhat", "first": "1970-01-01T00:00:00"},
}


def bus(server, secret: str = CLIENT_SECRET, **login):
    oauth = {
        "kind": "oauth2",
        "token_url": f"{server.base}/lgsp/token",
        "client_id": CLIENT,
        "client_secret": "{secret:K}",
    }
    url = f"{server.base}/lgsp/permits"
    return connector("http", key(secret), url=url, login=oauth | login, **LGSP)


SHAPES = {
    "/rain": ({}, 10, "station"),
    "/rain-api/stations": ({"records": "data", "headers": {"x-api-key": "{secret:K}"}}, 10, "lon"),
    "/rain-api/stations/stats": (
        {"records": "data", "headers": {"x-api-key": "{secret:K}"}}, 10, "depth",
    ),
    "/water/levels": ({"records": "features"}, 5, "geometry"),
    "/reservoirs": ({"records": "Data", "check": {"IsSuccess": ["true"]}}, 4, "TdMucNuoc"),
    "/reservoirs.html": ({"format": "html"}, 4, "TdMucNuoc"),
    "/border-gates": ({"format": "xml", "records": "DanhSach.CuaKhau"}, 4, "XeCho"),
    "/traffic": (
        {"records": "items", "total": "total", "pages": {"style": "offset", "size": 15}},
        40,
        "loai",
    ),
    "/warnings": (
        {"form": {"sogiodubao": "6", "date": "{now:%Y-%m-%d %H}:00:00"}}, None, "thoigian",
    ),
    "/fire-points": ({"format": "csv"}, None, "confidence"),
}  # fmt: skip


@pytest.mark.parametrize("path", SHAPES)
def test_each_shape_is_read_whole_and_says_that_it_is_simulated(feeds, path):
    options, count, member = SHAPES[path]
    reading = read(connector("http", key(KEY), url=feeds.base + path, **options))
    assert reading.is_whole
    assert reading.records
    assert count in (None, len(reading.records))
    assert all(member in record for record in reading.records)
    assert all("mô phỏng" in json.dumps(r, ensure_ascii=False) for r in reading.records)


def test_values_stay_as_they_came(feeds):
    gates = {"format": "xml", "records": "DanhSach.CuaKhau"}
    first = read(connector("http", url=feeds.base + "/border-gates", **gates)).records[0]
    assert first["@ma"] == "1"
    assert first["Ten"] == "Lào Cai"
    assert first["ThoiGian"] == f"{NOW.astimezone(HERE):%d/%m/%Y %H}:00:00"
    levels = read(connector("http", url=feeds.base + "/water/levels", records="features")).records
    assert levels[0]["properties"]["popupInfo"].startswith("<table>")


def test_the_form_of_a_post_has_the_hour_in_vietnam(feeds):
    feeds.asked.clear()
    before = datetime.now(HERE)
    records = read(
        connector("http", url=feeds.base + "/warnings", **SHAPES["/warnings"][0])
    ).records
    (asked,) = feeds.asked
    assert asked.form["date"] in {f"{t:%Y-%m-%d %H}:00:00" for t in (before, datetime.now(HERE))}
    assert all(record["thoigian"].startswith("/Date(") for record in records)


def test_details_are_asked_for_by_the_record(feeds):
    detail = {
        "url": feeds.base + "/water/detail",
        "form": {"stationId": "{record:properties.stationId}"},
    }
    options = {"url": feeds.base + "/water/levels", "records": "features", "detail": detail}
    records = read(connector("http", **options)).records
    assert [len(record["detail"]["values"].split(",")) for record in records] == [6] * 5
    assert len({record["detail"]["values"] for record in records}) == 5
    assert records[0]["detail"]["bao_dong3"] == "83.50"


def test_the_bus_gives_pages_for_a_token_and_then_changes_alone(feeds):
    first = read(bus(feeds))
    assert len(first.records) == 60
    assert not first.is_whole  # of changes alone, nobody can tell what is gone
    assert first.cursor["since"] == max(record["ngayCapNhat"] for record in first.records)
    second = read(bus(feeds), first.cursor)
    assert [record["soGiayPhep"] for record in second.records] == ["0059/GPXD"]


def test_a_reading_that_was_left_goes_on_at_its_page(feeds):
    first = first_batch(bus(feeds))
    rest = read(bus(feeds), first.cursor)
    numbers = [record["soGiayPhep"] for record in [*first.records, *rest.records]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 60


def test_a_token_is_used_by_later_readings_and_renewed_where_it_is_refused(feeds, demo):
    read(bus(feeds))
    feeds.asked.clear()
    read(bus(feeds))
    assert not [one for one in feeds.asked if one.path == "/lgsp/token"]
    demo.tokens.clear()
    assert len(read(bus(feeds)).records) == 60
    assert len([one for one in feeds.asked if one.path == "/lgsp/token"]) == 1


def test_an_expired_secret_of_the_bus_says_what_to_do(feeds):
    with pytest.raises(SourceRefused, match="renew the secret") as caught:
        read(bus(feeds, "an old secret"))
    assert "an old secret" not in str(caught.value)
    assert "invalid_client" in str(caught.value)


def test_credentials_may_stand_in_the_form(feeds):
    assert len(read(bus(feeds, sent_in="body", scope="permits")).records) == 60


def test_basic_is_sent(pages):
    pages.pages["/a"] = lambda request: json_answer([{"sent": request.headers["authorization"]}])
    login = {"kind": "basic", "user": "Aladdin", "password": "{secret:K}"}
    source = connector("http", key("open sesame"), url=pages.base + "/a", login=login)
    (record,) = read(source).records
    assert record["sent"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617, 2


def paged(request):
    """Seven records by any way of paging."""
    at = int(request.query.get("token") or request.query.get("offset") or 0)
    if "page" in request.query:
        at = (int(request.query["page"]) - 1) * 3
    after = at + 3 if at + 3 < 7 else None
    link = f"/a?token={after}" if after else None
    headers = {"Link": f'<{link}>; rel="next", </a>; rel="first"'} if link else {}
    return json_answer({"items": LETTERS[at : at + 3], "next": link, "token": after}, **headers)


@pytest.mark.parametrize(
    "style",
    [
        {"style": "number"},
        {"style": "number", "size": 3, "size_parameter": "size"},
        {"style": "offset", "size": 3},
        {"style": "link", "path": "next"},
        {"style": "link"},
        {"style": "token", "parameter": "token", "path": "token"},
    ],
    ids=str,
)
def test_pages_of_each_style_give_all_records_once(pages, style):
    pages.pages["/a"] = paged
    options = {"url": pages.base + "/a", "records": "items", "pages": style}
    reading = read(connector("http", **options))
    assert reading.records == LETTERS
    assert reading.is_whole
    for index, batch in enumerate(reading.batches[:-1], start=1):
        rest = read(connector("http", **options), batch.cursor)
        assert rest.records == [r for b in reading.batches[index:] for r in b.records]
        assert rest.is_whole


@pytest.mark.parametrize(
    ("style", "page"),
    [
        ({"style": "number"}, {"items": LETTERS}),
        ({"style": "offset", "size": 3}, {"items": LETTERS}),
        ({"style": "link", "path": "next"}, {"items": LETTERS, "next": "/a?x=1"}),
        ({"style": "token", "parameter": "t", "path": "t"}, {"items": LETTERS, "t": "same"}),
    ],
)
def test_a_loop_of_pages_is_found(pages, style, page):
    pages.pages["/a"] = lambda request: json_answer(page)
    with pytest.raises(SourceRefused, match=r"circle|second time"):
        read(connector("http", url=pages.base + "/a", records="items", pages=style))
    assert len(pages.asked) <= 3


def test_a_link_to_another_host_is_not_followed(pages):
    page = {"items": LETTERS, "next": "http://169.254.169.254/latest"}
    pages.pages["/a"] = lambda request: json_answer(page)
    style = {"style": "link", "path": "next"}
    with pytest.raises(SourceRefused, match="another host"):
        read(connector("http", url=pages.base + "/a", records="items", pages=style))


def test_fewer_records_than_the_server_counts_are_not_whole(pages):
    pages.pages["/a"] = lambda request: json_answer({"items": LETTERS, "total": 9})
    options = {"records": "items", "total": "total", "pages": {"style": "offset", "size": 10}}
    assert not read(connector("http", url=pages.base + "/a", **options)).is_whole


@pytest.mark.parametrize("may_be_empty", [False, True])
@pytest.mark.parametrize("style", [None, {"style": "number"}])
def test_an_empty_list_is_whole_only_where_that_is_declared(pages, may_be_empty, style):
    pages.pages["/a"] = lambda request: json_answer({"items": []})
    options = {"records": "items", "pages": style, "may_be_empty": may_be_empty}
    reading = read(connector("http", url=pages.base + "/a", **options))
    assert reading.records == []
    assert reading.is_whole == may_be_empty


def test_what_did_not_change_is_not_read_again(pages):
    def answer(request):
        if request.headers.get("if-none-match") == '"1"':
            return DemoAnswer(b"", 304)
        return json_answer(LETTERS, ETag='"1"')

    pages.pages["/a"] = answer
    first = read(connector("http", url=pages.base + "/a"))
    assert read(connector("http", url=pages.base + "/a"), first.cursor).batches == []
    pages.pages["/a"] = lambda request: json_answer(LETTERS)  # without validators: by its bytes
    again = read(connector("http", url=pages.base + "/a"))
    assert read(connector("http", url=pages.base + "/a"), again.cursor).batches == []
    pages.pages["/a"] = lambda request: json_answer(LETTERS[1:])
    assert read(connector("http", url=pages.base + "/a"), again.cursor).records == LETTERS[1:]


def test_a_long_list_comes_in_batches_and_a_death_between_them_loses_nothing(pages):
    many = [{"id": number, "text": "đ" * 20} for number in range(5_000)]
    pages.pages["/a"] = lambda request: json_answer(many)
    reading = read(connector("http", url=pages.base + "/a"))
    assert [len(batch.records) for batch in reading.batches] == [2_000, 2_000, 1_000]
    assert read(connector("http", url=pages.base + "/a"), reading.batches[0].cursor).records == many


@pytest.mark.parametrize("path", ["items", "data.items", ""])
def test_a_document_of_many_megabytes_is_parsed_record_by_record(pages, path, monkeypatch):
    many = [
        {"id": number, "text": 'đ "x" \\' * 9, "inner": {"a": [1, None, 2.5]}}
        for number in range(9_000)
    ]
    document = many
    for name in reversed(path.split(".") if path else []):
        document = {"before": [1, {"x": "]}"}], name: document, "after": {"y": "[{"}}
    whole = json.dumps(document)
    pages.pages["/a"] = lambda request: DemoAnswer(whole.encode())
    monkeypatch.setattr("gis.connectors.documents._AT_ONCE", 1)
    around = surroundings(most_bytes=2**25)
    reading = read(connector("http", around, url=pages.base + "/a", records=path))
    assert reading.records == many
    assert reading.is_whole
    for cut in (whole[:-1], whole[: len(whole) // 2], whole + "x", whole.replace("2.5", "2.5.", 1)):
        pages.pages["/a"] = lambda request, cut=cut: DemoAnswer(cut.encode())
        source, batches = connector("http", around, url=pages.base + "/a", records=path), []
        with pytest.raises(BadFile), closing(source):
            batches.extend(source.read({}))
        assert not any(batch.ends_whole for batch in batches)


@pytest.mark.parametrize("packed", [gzip.compress, zlib.compress])
def test_a_packed_answer_is_unpacked_and_a_bomb_is_not(pages, packed):
    headers = {"Content-Encoding": "gzip" if packed is gzip.compress else "deflate"}
    body = json.dumps(LETTERS).encode()
    pages.pages["/a"] = lambda request: DemoAnswer(packed(body), headers=headers)
    assert read(connector("http", url=pages.base + "/a")).records == LETTERS
    pages.pages["/a"] = lambda request: DemoAnswer(packed(body)[:-9], headers=headers)
    with pytest.raises(SourceUnavailable, match="no end"):
        read(connector("http", url=pages.base + "/a"))
    bomb = packed(b" " * 50_000_000)
    assert len(bomb) < 100_000
    pages.pages["/a"] = lambda request: DemoAnswer(bomb, headers=headers)
    with pytest.raises(BadFile, match="more than"):
        read(connector("http", url=pages.base + "/a"))


def test_redirects_are_followed_without_credentials_to_others(pages):
    has_key = []

    def target(request):
        has_key.append("x-api-key" in request.headers)
        return json_answer(LETTERS)

    pages.pages["/b"] = target
    for host in ("127.0.0.1", "localhost"):
        to = {"Location": f"http://{host}:{pages.server_port}/b"}
        pages.pages["/a"] = lambda request, to=to: DemoAnswer(b"", 302, to)
        headers = {"x-api-key": "{secret:K}"}
        source = connector("http", key("k"), url=pages.base + "/a", headers=headers)
        assert read(source).records == LETTERS
    assert has_key == [True, False]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/a", "without end"),
        ("http://10.0.0.1/", "GIS_SOURCE_NETWORKS"),
        ("file:///etc/passwd", "http"),
    ],
)
def test_a_redirect_is_checked_anew(pages, location, words):
    pages.pages["/a"] = lambda request: DemoAnswer(b"", 302, {"Location": location})
    with pytest.raises((SourceRefused, BadInput), match=words):
        read(connector("http", url=pages.base + "/a"))


@pytest.mark.parametrize(
    ("body", "options", "error", "words"),
    [
        (b"a,b\n1,2\n3\n", {"format": "csv"}, BadFile, "line 3"),
        (b'a,b\n1,"2\n', {"format": "csv"}, BadFile, "CSV"),
        (b"a,a\n1,2\n", {"format": "csv"}, BadFile, "one name"),
        (b"", {"format": "csv"}, BadFile, "empty"),
        ("tên\nĐá".encode("utf-16-le"), {"format": "csv"}, BadFile, "encoding"),
        (b"<a><b>1</b>", {"format": "xml", "records": "b"}, BadFile, "XML"),
        (b"<a><c>1</c></a>", {"format": "xml", "records": "b.d"}, BadFile, "it has c"),
        (
            b'<!DOCTYPE a [<!ENTITY x "y">]><a><b>&x;</b></a>',
            {"format": "xml", "records": "b"},
            BadFile,
            "DOCTYPE",
        ),
        (b"<html><p>x</p></html>", {"format": "html"}, BadFile, "not a table 1"),
        (b'{"a": [1], "b": 2}', {"records": "c"}, BadFile, "it has a, b"),
        (b'{"a": 5}', {"records": "a"}, BadFile, "no list"),
        (b'{"code": 1}', {"records": "a", "check": {"code": ["0"]}}, SourceRefused, "code"),
    ],
)
def test_what_is_no_answer_says_what_is_wrong(pages, body, options, error, words):
    pages.pages["/a"] = lambda request: DemoAnswer(body)
    with pytest.raises(error, match=words):
        read(connector("http", url=pages.base + "/a", **options))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_other_encodings_of_json_are_read(pages, encoding):
    pages.pages["/a"] = lambda request: DemoAnswer('[{"tên": "Đá", "x": NaN}]'.encode(encoding))
    assert read(connector("http", url=pages.base + "/a")).records == [{"tên": "Đá", "x": None}]


def test_a_declared_encoding_is_taken(pages):
    pages.pages["/a"] = lambda request: DemoAnswer("tên;b\nĐỗ;1\n".encode("utf-16-le"))
    options = {"format": "csv", "encoding": "utf-16-le"}
    records = read(connector("http", url=pages.base + "/a", **options)).records
    assert records == [{"tên": "Đỗ", "b": "1"}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://a.vn/"}, "http or https"),
        ({"url": "http://u:p@a.vn/"}, "login"),
        ({"url": "http://a.vn/{secret:NONE}"}, "GIS_SOURCE_SECRET_NONE"),
        ({"url": "http://a.vn/", "headers": {"Host": "b"}}, "cannot be set"),
    ],
)
def test_options_that_can_never_work_are_refused_at_once(options, words):
    with pytest.raises(BadInput, match=words):
        HttpConnector(HttpConnector.Options.model_validate(options), surroundings())


def test_what_a_source_says_is_no_placeholder(pages):
    """A value of the source, sent back to it, gives no secret away."""
    pages.pages["/a"] = lambda request: json_answer(
        [{"changed": "{secret:K}", "asked": request.query.get("after")}]
    )
    source = {
        "url": pages.base + "/a",
        "headers": {"x-api-key": "{secret:K}"},
        "query": {"after": "{since}"},
        "changes": {"column": "changed", "first": "0"},
    }
    first = read(connector("http", key("key-of-source"), **source))
    (record,) = read(connector("http", key("key-of-source"), **source), first.cursor).records
    assert record["asked"] == "{secret:K}"


def test_a_next_link_with_the_key_is_stored_without_it(pages):
    def answer(request):
        assert request.query["key"] == "k e/y"
        if "page" in request.query:
            return json_answer({"items": [{"id": 2}], "next": None})
        return json_answer({"items": [{"id": 1}], "next": "/a?page=2&key=k+e%2Fy"})

    pages.pages["/a"] = answer
    options = {
        "url": pages.base + "/a",
        "query": {"key": "{secret:K}"},
        "records": "items",
        "pages": {"style": "link", "path": "next"},
    }
    reading = read(connector("http", key("k e/y"), **options))
    assert [record["id"] for record in reading.records] == [1, 2]
    left = reading.batches[0].cursor
    assert "k+e" not in str(left)
    assert read(connector("http", key("k e/y"), **options), left).records == [{"id": 2}]
