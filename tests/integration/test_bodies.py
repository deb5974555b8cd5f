"""How much a client may send, on every route that is more than read."""

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.app import create_app
from gis.access import Role, create_key
from gis.settings import Settings
from tests.databases import Server
from tests.integration.ogc_app import Client, app_client
from tests.waiting import wait_until

LARGEST_MB = 0.2
MEGABYTE = b"\x20" * 1_000_000
LAYER = "field_incidents"
TOO_LARGE = "a body may have 0.2 MB at most"
_READING = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Door:
    """A method of a path that is more than read."""

    method: str
    path: str


def doors_of(app: FastAPI) -> list[Door]:
    return sorted(
        (
            Door(method, re.sub(r"\{\w+\}", "1", route.path.replace("{layer_id}", LAYER)))
            for route in iter_route_contexts(app.routes)
            for method in set(route.methods) - _READING
        ),
        key=str,
    )


@pytest.fixture(scope="module")
def client(postgres: Server, toy_template: str, catalogue) -> Iterator[Client]:
    with postgres.opened(toy_template) as database:
        app = create_app(Settings(_env_file=None, body_mb=LARGEST_MB), database, catalogue)
        with app_client(app) as opened:
            opened.app = app
            with database.writing() as connection:
                opened.headers["X-API-Key"] = create_key(connection, "tests", Role.ADMIN)
            yield opened


def test_every_way_in_is_among_those_tried(client: Client):
    doors = doors_of(client.app)
    assert len(doors) >= 15
    assert Door("POST", "/ogc/collections/field_incidents/items") in doors
    assert Door("POST", "/places") in doors


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("key", [True, False])
def test_a_declared_body_that_is_too_large_is_refused_before_it_is_sent(client: Client, key: bool):
    for door in doors_of(client.app):
        head = [
            f"{door.method} {door.path} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            "Content-Length: 400000000",
        ]
        if key:
            head.append(f"X-API-Key: {client.headers['X-API-Key']}")
        with socket.create_connection((client.base_url.host, client.base_url.port), 10) as raw:
            raw.sendall("\r\n".join([*head, "", ""]).encode())
            answer = raw.recv(10_000).decode()
        assert answer.startswith("HTTP/1.1 413 "), (door, answer)
        assert TOO_LARGE in answer, door


def test_a_body_that_grows_too_large_is_refused_while_it_arrives(client: Client):
    """Without ever holding it; routes that take no body throw it away."""
    process = psutil.Process(os.getpid())
    before, most = process.memory_info().rss, 0
    refused = []
    for door in doors_of(client.app):
        sent = 0

        def body() -> Iterator[bytes]:
            nonlocal sent, most
            for _ in range(60):
                yield MEGABYTE
                sent += 1
                most = max(most, process.memory_info().rss)

        answer = client.request(door.method, door.path, content=body(), headers=JSON)
        assert answer.status_code in (200, 204, 400, 404, 409, 413), (door, answer.text)
        if answer.status_code == 413:
            assert answer.json()["detail"] == TOO_LARGE
            refused.append(door)
    assert len(refused) >= 12
    assert (most - before) / 1e6 < 50


def test_a_body_within_the_bound_is_read(client: Client):
    claim = {"address": "x" * 500}
    answer = client.post("/places", json={"records": [claim] * 300})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_since_nobody_knows_what_it_becomes(
    client: Client, coding: str
):
    for door in doors_of(client.app):
        headers = {"Content-Encoding": coding, **JSON}
        answer = client.request(door.method, door.path, content=b"x", headers=headers)
        assert answer.status_code == 415, door


def test_clients_without_a_key_are_bounded_together_and_others_are_not(client: Client):
    """Five who stop before the end hold nearly all that there is for them."""
    head = (
        "POST /places HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 190000\r\n\r\n"
    )
    port = client.base_url.port
    held = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(5)]
    try:
        for one in held:
            one.sendall(head.encode() + b"\x20" * 189_999)
        batch = {"records": [{"address": "x" * 500}] * 300}

        def answer() -> httpx.Response:
            return httpx.post(client.base_url.join("/places"), json=batch)

        wait_until(lambda: answer().status_code == 503)
        assert "too much arrives at a time" in answer().json()["detail"]
        assert client.post("/places", json=batch).status_code == 200
    finally:
        for one in held:
            one.close()
    wait_until(lambda: answer().status_code == 200)
