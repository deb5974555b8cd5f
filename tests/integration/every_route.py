"""Every route of the service, asked as the wire has it: names of headers keep their case."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

# What stands for a parameter of a path; of layers one that all may read, and one that is closed.
VALUES = {
    "z": "8", "x": "201", "y": "111", "item_id": "1", "alert_id": "1", "record_id": "1",
    "correction_id": "1", "push_id": "1",
    "change_id": "1", "silence_id": "1", "name": "map.js", "identifier": "none",
    "cell": "876512000ffffff", "zone": "876512000ffffff", "month": "2026-03",
    "process_id": "select", "job_id": "1",
}  # fmt: skip
OPEN, CLOSED = "citizen_reports", "field_incidents"
SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """All of a name, in any case; empty when there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def words(self, name: str) -> set[str]:
        return {word.strip().lower() for word in self.header(name).split(",")}


def every_route(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path."""
    for route in iter_route_contexts(app.routes):
        for layer in (OPEN, CLOSED) if "{layer_id}" in route.path else ("",):
            values = {**VALUES, "layer_id": layer}
            path = re.sub(r"{(\w+)[^}]*}", lambda found, of=values: of[found[1]], route.path)
            for method in sorted(route.methods):
                yield method, path


def ask(
    url: str,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One answer on a connection of its own; of a stream of events only the beginning."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        events = response.getheader("content-type", "").startswith("text/event-stream")
        content = b"" if events else response.read()
        return Answer(response.status, response.getheaders(), content)
    finally:
        connection.close()
