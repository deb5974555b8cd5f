"""Pages of other origins in a real browser: what they read, and which of them may write."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from layers.definition.catalogue import Catalogue
from tests.acceptance.screenshot import CHROMIUM, browser
from tests.databases import Server
from tests.integration.every_route import CLOSED, OPEN
from tests.integration.test_answer_headers import ITEMS, TILE, Running, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

POINT = {"type": "Point", "coordinates": [104.05, 22.05]}
FEATURE = {"type": "Feature", "geometry": POINT, "properties": {"kind": "flood"}}
# Asks, and tells what a script may see of the answer; null where the browser lets it see nothing.
ASK = """async ([url, options]) => {
  let answer;
  try { answer = await fetch(url, options); } catch { return null; }
  const headers = Object.fromEntries(answer.headers);
  return { status: answer.status, headers, size: (await answer.clone().arrayBuffer()).byteLength,
           body: await answer.json().catch(() => null) };
}"""
LISTEN = """url => new Promise((heard, failed) => {
  const events = new EventSource(url);
  events.onopen = () => { events.close(); heard("open"); };
  events.onerror = () => { events.close(); heard("error"); };
})"""
SUBMIT = """url => new Promise(done => {
  document.body.innerHTML = `<iframe name="f"></iframe>
    <form method="post" target="f" enctype="text/plain"><input type="hidden"></form>`;
  const form = document.forms[0];
  form.action = url;
  form.elements[0].name = '{"type":"Feature","properties":{"kind":"flood","note":"';
  form.elements[0].value = '"},"geometry":{"type":"Point","coordinates":[104.05,22.05]}}';
  const frame = document.querySelector("iframe");
  frame.onload = () => { frame.onload = done; form.submit(); };
  frame.src = "about:blank";
})"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: what is asked for is of no interest."""


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """The origin of a web server for pages."""
    (folder / "index.html").write_text("<!doctype html><title>map</title><body>", encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class Web:
    """The service, and pages of an origin that its settings name and of one that they do not."""

    service: Running
    named: Page
    strange: Page

    def items(self) -> int:
        with self.service.database.reading() as connection:
            return connection.scalar(text(f"SELECT count(*) FROM layer.{CLOSED}"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def web(
    chromium: Browser,
    postgres: Server,
    toy_template: str,
    catalogue: Catalogue,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("pages")
    with (
        pages(folder) as named,
        pages(folder) as strange,
        postgres.opened(toy_template) as database,
        running(database, catalogue, folder, f"* {named}") as service,
    ):
        known = {"username": service.key, "password": ""}
        context = chromium.new_context(http_credentials=known)
        opened = context.new_page(), context.new_page()
        for page, origin in zip(opened, (named, strange), strict=True):
            page.goto(origin)
        yield Web(service, *opened)
        context.close()


def ask(web: Web, page: Page, path: str, **options: Any) -> Any:
    return page.evaluate(ASK, [web.service.url + path, options])


def test_a_page_of_any_origin_reads_what_is_public(web: Web):
    for page in (web.named, web.strange):
        items = ask(web, page, f"/ogc/collections/{OPEN}/items")
        assert items["status"] == 200 and items["body"]["features"]
        assert items["headers"]["etag"] and "CRS84" in items["headers"]["content-crs"]
        assert items["headers"]["x-request-id"]
        known = {"If-None-Match": items["headers"]["etag"]}
        same = ask(web, page, f"/ogc/collections/{OPEN}/items", headers=known, cache="no-store")
        assert same["status"] == 304
        tile = ask(web, page, TILE)
        assert tile["status"] == 200 and tile["headers"]["etag"]
        assert page.evaluate(LISTEN, f"{web.service.url}/events") == "open"


def test_a_page_of_any_origin_reads_with_a_key_what_its_holder_may(web: Web):
    path = f"/ogc/collections/{CLOSED}"
    assert ask(web, web.strange, path)["status"] == 404
    keyed = ask(web, web.strange, path, headers={"X-API-Key": web.service.key})
    assert keyed["status"] == 200 and keyed["body"]["id"] == CLOSED


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/summary/citizen_reports?by=galaxy", 400), ("/quarantine", 401)],
)
def test_a_page_of_any_origin_reads_what_was_wrong(web: Web, path: str, status: int):
    answer = ask(web, web.strange, path)
    assert answer["status"] == status
    assert answer["body"]["detail"]
    assert answer["headers"]["x-request-id"] == answer["body"]["request_id"]


def test_a_page_of_a_named_origin_writes_with_a_key_and_no_other(web: Web):
    before = web.items()
    crs = "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
    kind = {"Content-Type": "application/geo+json", "Content-Crs": crs}
    write = {
        "method": "POST",
        "body": json.dumps(FEATURE),
        "headers": {"X-API-Key": web.service.key, **kind},
    }
    made = ask(web, web.named, ITEMS, **write)
    assert made["status"] == 201 and ITEMS in made["headers"]["location"]
    assert web.items() == before + 1
    assert ask(web, web.strange, ITEMS, **write) is None
    path = made["headers"]["location"].removeprefix(web.service.url)
    gone = {"method": "DELETE", "headers": {"X-API-Key": web.service.key}}
    assert ask(web, web.strange, path, **gone) is None
    assert web.items() == before + 1
    gone["headers"]["If-Match"] = made["headers"]["etag"]
    assert ask(web, web.named, path, **gone)["status"] == 204


def test_a_strange_page_writes_nothing_with_a_password_that_the_browser_knows(web: Web):
    asking = web.strange.context.new_page()
    asking.goto(f"{web.service.url}/quarantine")  # the browser is asked for the password here
    assert '"records"' in asking.content()
    asking.close()
    before = web.items()
    body = json.dumps(FEATURE)
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        options = {"method": "POST", "mode": "no-cors", "credentials": "include", "body": body}
        ask(web, web.strange, ITEMS, headers={"Content-Type": kind}, **options)
    with web.strange.expect_response(lambda answer: ITEMS in answer.url) as sent:
        web.strange.evaluate(SUBMIT, web.service.url + ITEMS)
    assert sent.value.request.all_headers()["authorization"].startswith("Basic ")
    assert sent.value.status == 403
    assert web.items() == before
