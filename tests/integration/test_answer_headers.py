"""The headers that every answer has: who may keep it, which pages may read it, in which case its
names stand. Over all routes, as the table of routes has them.
"""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.ingest.load import LoadOptions, load_file
from layers.items.formats import FORMATS
from tests.databases import Server
from tests.integration.every_route import CLOSED, OPEN, SAFE, Answer, ask, every_route
from tests.integration.ogc_app import serving
from tests.integration.test_routes import HEADER, LINES

NAMED = "https://maps.example.vn"
STRANGE = "https://strange.example"
ITEMS = f"/ogc/collections/{CLOSED}/items"
TILE = f"/tiles/{OPEN}/8/201/111.mvt"


@dataclass(frozen=True)
class Running:
    """A service over a few records, and an administrator's key to it."""

    url: str
    database: Database
    routes: tuple[tuple[str, str], ...]
    key: str

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        return ask(
            self.url, method, path, {k.replace("_", "-"): v for k, v in headers.items()}, body
        )

    def rows(self) -> dict[str, str]:
        """A digest of each table, but for those of shapes that are simplified when first drawn."""
        with self.database.writing() as connection:
            tables = connection.scalars(
                text("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                     " WHERE schemaname IN ('gis', 'layer', 'private')"
                     " AND tablename NOT IN ('simplified', 'simplified_layer') ORDER BY 1")
            ).all()  # fmt: skip
            return {
                table: connection.scalar(
                    text(f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r")
                )
                for table in tables
            }


@contextmanager
def running(
    database: Database, catalogue: Catalogue, folder: Path, origins: str, shared_cache_s: int = 0
) -> Iterator[Running]:
    path = folder / "reports.csv"
    path.write_text(HEADER + LINES, encoding="utf-8")
    options = LoadOptions(who="tests", source="tests")
    load_file(database, catalogue.get(OPEN), path, options)
    with database.writing() as connection:
        key = create_key(connection, "tests", Role.ADMIN)
    settings = Settings(
        _env_file=None, cors_origins=origins, shared_cache_s=shared_cache_s, home=folder
    )
    app = create_app(settings, database, catalogue)
    with serving(app) as url:
        yield Running(url, database, tuple(every_route(app)), key)


@pytest.fixture(scope="module")
def service(
    postgres: Server,
    toy_template: str,
    catalogue: Catalogue,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    with (
        postgres.opened(toy_template) as database,
        running(database, catalogue, tmp_path_factory.mktemp("headers"), f"* {NAMED}") as made,
    ):
        yield made


def gets(service: Running) -> list[str]:
    """Every route that is read, and the files of items, which are sent while they are made."""
    files = {f"/ogc/collections/{one}/items?f={f}" for one in (OPEN, CLOSED) for f in FORMATS}
    return sorted({path for method, path in service.routes if method == "GET"} | files)


def unsafe(service: Running) -> list[tuple[str, str]]:
    return sorted({one for one in service.routes if one[0] not in SAFE})


EVERYWHERE = {"x-request-id", "x-content-type-options", "access-control-allow-origin"}
# Names of the server itself, and those that frame an answer.
OF_THE_SERVER = {"date", "server", "connection", "content-length", "transfer-encoding"}
READ_BY_ALL_SCRIPTS = {
    "cache-control", "content-language", "content-length", "content-type", "last-modified",
}  # fmt: skip
# Headers for the browser itself, of which a script has no use.
OF_THE_BROWSER = {
    "accept-ranges", "content-encoding", "content-security-policy", "date", "referrer-policy",
    "server", "transfer-encoding", "vary", "www-authenticate", "x-accel-buffering",
    "x-content-type-options", "x-frame-options",
}  # fmt: skip


def check_everywhere(answer: Answer, *, keyed: bool) -> None:
    """What holds of every answer."""
    caching, names = answer.words("Cache-Control"), {name.lower() for name, _ in answer.headers}
    assert names >= EVERYWHERE
    assert answer.words("Vary") >= {"x-api-key", "authorization"}
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert "access-control-allow-credentials" not in names
    exposed = answer.words("Access-Control-Expose-Headers")
    own = names - READ_BY_ALL_SCRIPTS - OF_THE_BROWSER
    assert {name for name in own if not name.startswith("access-control-")} <= exposed
    if answer.status >= 400:
        assert "no-store" in caching
    elif keyed:
        assert "private" in caching and not {"public"} & caching, caching
    else:
        assert ("public" in caching) != ("no-store" in caching), caching
    for name, _ in answer.headers:
        if name.lower() not in OF_THE_SERVER:
            assert name in (name.title(), "ETag", "WWW-Authenticate"), name


def test_every_answer_says_who_may_keep_it_and_who_may_read_it(service):
    before, faults, good = service.rows(), [], 0
    for path in gets(service):
        for headers in ({}, {"X_API_Key": service.key}, {"Authorization": service.basic}):
            answer = service.ask("GET", path, **headers)
            good += answer.status == 200
            try:
                check_everywhere(answer, keyed=bool(headers))
            except AssertionError as fault:
                faults.append(f"{path} {headers}: {answer.status} {fault}")
    assert faults == []
    assert good > 150, "most routes are seen to answer"
    assert service.rows() == before, "no GET changes anything"


def test_an_answer_names_in_vary_whatever_it_depends_on(service):
    plain = {"Accept": "application/json", "Accept_Language": "vi", "Accept_Encoding": "identity"}
    other = {"Accept": "text/html", "Accept_Language": "en", "Accept_Encoding": "gzip"}
    depend = dict.fromkeys(other, 0)

    def seen(path: str, **headers: str) -> tuple[object, ...]:
        answer = service.ask("GET", path, **headers)
        if answer.status != 200 or "no-store" in answer.words("Cache-Control"):
            return (answer.status,)
        of_answer = ("Content-Type", "Content-Language", "Content-Encoding")
        body = answer.body if answer.header("Content-Type").endswith("json") else b""
        told = json.loads(body) if body and not answer.header("Content-Encoding") else {}
        told.pop("timeStamp", None) if isinstance(told, dict) else None
        return (*map(answer.header, of_answer), told)

    for path in gets(service):
        first = seen(path, **plain)
        named = service.ask("GET", path, **plain).words("Vary")
        for name in other:
            second = seen(path, **{**plain, name: other[name]})
            if name == "Accept_Encoding":
                first, second = first[:3], second[:3]
                named = service.ask("GET", path, **{**plain, name: other[name]}).words("Vary")
            if first != second:
                depend[name] += 1
                assert name.lower().replace("_", "-") in named, (path, name)
    assert all(depend.values()), depend


def test_errors_of_every_kind_have_the_headers_too(service, monkeypatch):
    def fails(*_: object) -> None:
        raise RuntimeError("unknown")

    asked = [
        ("GET", "/nowhere", {}, 404),
        ("GET", "/summary/citizen_reports?by=galaxy", {}, 400),
        ("GET", "/quarantine", {}, 401),
        ("GET", "/alerts", {"X_API_Key": "gis_wrong"}, 401),
        ("GET", "/alerts", {"Authorization": "Basic ?"}, 401),
        ("PUT", "/alerts", {}, 405),
        ("POST", "/places", {"Content_Type": "text/plain"}, 415),
        ("POST", "/places", {"Origin": STRANGE}, 403),
    ]
    for method, path, headers, status in asked:
        answer = service.ask(method, path, **headers)
        assert answer.status == status, (path, answer)
        check_everywhere(answer, keyed=bool(headers))
        assert json.loads(answer.body)["request_id"] == answer.header("X-Request-Id")
    monkeypatch.setattr("api.routes.status.facts", fails)
    monkeypatch.setattr("api.middleware.authenticate", fails)
    for headers in ({}, {"X_API_Key": service.key}):
        with capture_logs():  # else the log draws all variables of the traceback, for seconds
            answer = service.ask("GET", "/status", **headers)
        assert answer.status == 500
        check_everywhere(answer, keyed=bool(headers))
        assert json.loads(answer.body)["request_id"] == answer.header("X-Request-Id")


def test_a_database_that_is_away_is_reported_with_the_headers(postgres, url, catalogue):
    app = create_app(Settings(_env_file=None), Database(url), catalogue)
    with serving(app) as base, postgres.refusing(url):
        for headers in ({}, {"X-API-Key": "gis_any"}):
            answer = ask(base, "GET", "/status", headers)
            assert answer.status == 503
            check_everywhere(answer, keyed=bool(headers))
    app.state.database.close()


@pytest.mark.parametrize("server", ["httptools", "h11"])
def test_names_stand_on_the_wire_as_the_rfcs_write_them(service, server, catalogue):
    """Byte by byte: a new item, an unchanged tile, a tile, a stream, an error."""
    settings = Settings(_env_file=None)
    app = create_app(settings, service.database, catalogue)
    point = {"type": "Point", "coordinates": [104.05, 22.05]}
    feature = {"type": "Feature", "geometry": point, "properties": {"kind": "flood"}}
    body = json.dumps(feature).encode()
    etag = service.ask("GET", TILE).header("ETag")
    key = f"X-API-Key: {service.key}"
    with serving(app, http=server) as url:

        def head(line: str, *headers: str, content: bytes = b"") -> bytes:
            address = urlsplit(url)
            with socket.create_connection((address.hostname, address.port), timeout=30) as client:
                lines = [line, "Host: here", *headers, "", ""]
                client.sendall("\r\n".join(lines).encode() + content)
                got = b""
                while b"\r\n\r\n" not in got:
                    got += client.recv(65536)
                return got.partition(b"\r\n\r\n")[0]

        length = f"Content-Length: {len(body)}"
        json_type = "Content-Type: application/geo+json"
        made = head(f"POST {ITEMS} HTTP/1.1", key, json_type, length, content=body)
        for name in (b"Location: http", b"ETag: ", b"X-Request-Id: ", b"Vary: "):
            assert b"\r\n" + name in made, made
        same = head(f"GET {TILE} HTTP/1.1", f"If-None-Match: {etag}")
        assert same.startswith(b"HTTP/1.1 304 ") and b"\r\nETag: " in same
        tile = head(f"GET {TILE} HTTP/1.1")
        assert b"\r\nContent-Type: application/vnd" in tile and b"\r\nETag: " in tile
        items = head(f"GET /ogc/collections/{OPEN}/items?f=csv HTTP/1.1")
        assert b"\r\nContent-Disposition: " in items and b"\r\nContent-Crs: <" in items
        assert b"\r\nCache-Control: no-store" in head("GET /events HTTP/1.1")
        assert b"\r\nAllow: GET, HEAD, OPTIONS" in head("PUT /layers HTTP/1.1")
        assert b"\r\nWWW-Authenticate: Basic" in head("GET /quarantine HTTP/1.1")


def test_whatever_has_get_has_head_and_options(service):
    for path in gets(service):
        whole, head = (service.ask(method, path) for method in ("GET", "HEAD"))
        options = service.ask("OPTIONS", path)
        assert (head.status, head.body) == (whole.status, b""), path
        assert head.header("Content-Type") == whole.header("Content-Type"), path
        if whole.status == 200:
            assert (options.status, options.body) == (204, b""), path
            assert options.words("Allow") >= {"get", "head", "options"}, path


def test_what_is_not_offered_says_what_is(service):
    offered: dict[str, set[str]] = {}
    for method, path in service.routes:
        offered.setdefault(path, set()).add(method.lower())
    for path, methods in offered.items():
        for method in {"post", "put", "patch", "delete"} - methods:
            answer = service.ask(method.upper(), path)
            assert answer.status == 405, (method, path)
            assert answer.words("Allow") >= methods | {"options"}, (method, path)


TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "text/plain; application/json", "application/jsonp", "text/json+json",
)  # fmt: skip


def test_no_route_takes_a_write_with_a_body_that_a_form_could_send(service):
    before = service.rows()
    for method, path in unsafe(service):
        for kind in TYPES:
            for body in (b"{}", None):
                answer = service.ask(
                    method, path, body, Authorization=service.basic, Content_Type=kind
                )
                assert answer.status == 415, (method, path, kind, answer)
        answer = service.ask(method, path, b"{}", Authorization=service.basic)  # of no type
        assert answer.status == 415, (method, path)
        assert "application/json" in json.loads(answer.body)["detail"]
    assert service.rows() == before
    assert len(unsafe(service)) > 15


FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {"Origin": STRANGE},
    {"Origin": "null"},
    {"Origin": STRANGE, "Sec_Fetch_Site": "cross-site"},
    {"Origin": f"{NAMED}.strange.example"},
    {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
)


def test_no_route_takes_a_write_from_a_page_of_elsewhere(service):
    before = service.rows()
    for method, path in unsafe(service):
        for headers in FROM_ELSEWHERE:
            for key in ({"Authorization": service.basic}, {"X_API_Key": service.key}, {}):
                kind = {"Content_Type": "application/json"}
                answer = service.ask(method, path, b"{}", **headers, **key, **kind)
                assert answer.status == 403, (method, path, headers)
                assert "GIS_CORS_ORIGINS" in json.loads(answer.body)["detail"]
    assert service.rows() == before


def test_every_route_takes_writes_of_programs_of_its_own_page_and_of_named_origins(service):
    own = urlsplit(service.url).netloc
    allowed: tuple[dict[str, str], ...] = (
        {},
        {"Origin": service.url},
        {"Origin": service.url, "Sec_Fetch_Site": "same-origin"},
        {"Origin": "https://gis.example.vn", "Sec_Fetch_Site": "same-origin", "Host": own},
        {"Origin": "https://gis.example.vn", "Host": "gis.example.vn"},
        {"Origin": "https://gis.example.vn", "X_Forwarded_Host": "gis.example.vn, inner"},
        {"Origin": NAMED, "Sec_Fetch_Site": "cross-site"},
    )
    for method, path in unsafe(service):
        for headers in allowed:
            for kind in ("application/json", "application/geo+json; charset=utf-8"):
                answer = service.ask(method, path, b"[", **headers, Content_Type=kind)
                assert answer.status not in (403, 415), (method, path, headers, answer)


def preflight(service: Running, origin: str, method: str, path: str = ITEMS) -> Answer:
    return service.ask(
        "OPTIONS",
        path,
        Origin=origin,
        Access_Control_Request_Method=method,
        Access_Control_Request_Headers="content-crs,content-type,if-match,x-api-key",
    )


ASKED = {
    "x-api-key", "authorization", "content-type", "content-crs", "if-match", "if-none-match",
    "prefer", "range", "last-event-id",
}  # fmt: skip


def test_a_preflight_request_is_answered_with_what_a_page_may_do(service):
    for method, path in service.routes:
        for origin, granted in ((NAMED, True), (STRANGE, method in ("GET", "HEAD"))):
            if method == "OPTIONS":
                continue
            answer = preflight(service, origin, method, path)
            assert (answer.status == 204) == granted, (method, path, origin)
            if granted:
                assert method.lower() in answer.words("Access-Control-Allow-Methods")
                assert answer.words("Access-Control-Allow-Headers") >= ASKED
            else:
                assert not answer.header("Access-Control-Allow-Methods")
                assert origin in json.loads(answer.body)["detail"]
    plain = service.ask("OPTIONS", ITEMS, X_API_Key=service.key, Origin=STRANGE)
    assert "POST" in plain.header("Allow"), "QGIS asks so what it may edit"


@pytest.mark.parametrize(
    ("origins", "origin", "read"),
    [
        (NAMED, NAMED, NAMED),
        (NAMED.upper(), NAMED, NAMED),
        (NAMED, STRANGE, ""),
        (NAMED, None, ""),
        ("none", STRANGE, ""),
    ],
)
def test_origins_may_be_named_one_by_one(service, catalogue, origins, origin, read):
    settings = Settings(_env_file=None, cors_origins=origins)
    with serving(create_app(settings, service.database, catalogue)) as url:
        answer = ask(url, "GET", "/layers", {} if origin is None else {"Origin": origin})
    assert answer.header("Access-Control-Allow-Origin") == read
    assert bool(answer.header("Access-Control-Expose-Headers")) == bool(read)
    assert "origin" in answer.words("Vary")


@pytest.mark.parametrize(
    "wrong", ["maps.example.vn", "https://a.vn/", "https://a.vn,https://b.vn", "* none"]
)
def test_a_setting_that_names_no_origin_is_refused(wrong):
    with pytest.raises(ValueError, match="cors_origins"):
        Settings(_env_file=None, cors_origins=wrong)
