"""nginx as a shared cache before the service: it hands nobody what was answered to another, and
keeps what is public.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from layers.definition.catalogue import Catalogue
from tests.acceptance.service import free_port
from tests.databases import Server
from tests.integration.every_route import CLOSED, OPEN, Answer, ask
from tests.integration.test_answer_headers import ITEMS, Running, gets, running
from tests.waiting import wait_until
from tiles.grid import tile_at

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx: apt-get install nginx-light")

# It keeps for ten minutes whatever does not say otherwise, errors too.
CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache keys_zone=shared:1m;
  server {{
    listen 127.0.0.1:{first}; listen 127.0.0.1:{second};
    location / {{
      proxy_pass {service}; proxy_http_version 1.1; proxy_set_header Host {host};
      proxy_cache shared; proxy_cache_key $server_port$request_uri; proxy_cache_valid any 10m;
      add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""
SECRET = "Mật: đường dây 220 kV"
POINT = (104.05, 22.05)


@dataclass(frozen=True)
class Cached:
    """The service, and two empty caches before it."""

    service: Running
    first: str
    second: str


@contextmanager
def nginx(folder: Path, url: str) -> Iterator[tuple[str, str]]:
    first, second = free_port(), free_port()
    words = CONFIGURATION.format(
        folder=folder, first=first, second=second, service=url, host=urlsplit(url).netloc
    )
    (folder / "nginx.conf").write_text(words, encoding="utf-8")
    command = [str(NGINX), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command)
    try:
        bases = f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}"
        wait_until(lambda: process.poll() is not None or listens(bases[0]))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield bases
    finally:
        process.terminate()
        process.wait(20)


def listens(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health/live", timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def cached(
    postgres: Server, toy_template: str, catalogue: Catalogue, tmp_path: Path
) -> Iterator[Cached]:
    with (
        postgres.opened(toy_template) as database,
        running(database, catalogue, tmp_path, "*", shared_cache_s=600) as service,
    ):
        point = {"type": "Point", "coordinates": POINT}
        properties = {"kind": "flood", "note": SECRET}
        item = {"type": "Feature", "geometry": point, "properties": properties}
        kind = {"Content_Type": "application/geo+json", "X_API_Key": service.key}
        assert service.ask("POST", ITEMS, json.dumps(item).encode(), **kind).status == 201
        folder = tmp_path / "nginx"
        folder.mkdir()
        with nginx(folder, service.url) as (first, second):
            yield Cached(service, first, second)


def paths(service: Running) -> list[str]:
    """Every route, and tiles and pages in which there is something to see."""
    tile = tile_at(*POINT, 12)
    tiles = [f"/tiles/{one}/{tile.z}/{tile.x}/{tile.y}.mvt" for one in (OPEN, CLOSED)]
    pages = [f"/ogc/collections/{one}/items?f=html" for one in (OPEN, CLOSED)]
    return [*gets(service), *tiles, *pages]


def told(answer: Answer) -> tuple[int, object]:
    """What it says, without what differs from one answer to the next."""
    if answer.header("Content-Type").split(";")[0].endswith("json"):
        document = json.loads(answer.body)
        if isinstance(document, dict):
            document = {k: v for k, v in document.items() if k not in ("request_id", "timeStamp")}
        return answer.status, document
    if answer.header("Content-Type") == "application/x-qgis-project":
        return answer.status, None  # made anew, with other ids
    return answer.status, answer.body


def test_a_shared_cache_hands_nobody_what_is_anothers_and_keeps_what_is_public(cached: Cached):
    service, again, secrets = cached.service, set(), 0
    keys = {"X-API-Key": service.key}, {"Authorization": service.basic}
    for path in paths(service):
        bare, *keyed = (ask(service.url, "GET", path, key) for key in ({}, *keys))
        secrets += SECRET.encode() in keyed[0].body and SECRET.encode() not in bare.body
        for key, own in zip(keys, keyed, strict=True):  # those with a key come first
            assert told(ask(cached.first, "GET", path, key)) == told(own), path
        assert told(ask(cached.first, "GET", path)) == told(bare), path
        assert told(ask(cached.second, "GET", path)) == told(bare), path  # now they come second
        for key, own in zip(keys, keyed, strict=True):
            answer = ask(cached.second, "GET", path, key)
            assert told(answer) == told(own), path
            assert answer.header("X-Cache") != "HIT", path
        if ask(cached.second, "GET", path).header("X-Cache") == "HIT":
            assert bare.status == 200
            again.add(path)
    assert secrets >= 3, "what is closed would be seen"
    tile = tile_at(*POINT, 12)
    assert again >= {f"/tiles/{OPEN}/{tile.z}/{tile.x}/{tile.y}.mvt", "/layers", "/styles/map.json"}
    assert not {path for path in again if CLOSED in path}
