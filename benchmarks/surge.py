"""A typhoon night, sent to the service as it runs: how soon it is said, and how often.

Three hundred reports from five valleys come in a minute one by one, as one file, and from three
senders, each to a `gis work` of its own on a database with forty ordinary days; a receiver on this
machine takes what three subscriptions are sent. Prints the seconds from the report that makes the
situation to the first urgent notification, the valleys that it names, and the notifications of each
subscription. Fails where these are not: 5 s, five, and at most three in the first ten minutes; a
subscription from tier watch on asks for more, and is shown beside.

Ways that are named as arguments are measured alone. GIS_BENCH_SURGE_LONG=1 adds three thousand
reports in ten minutes, which takes as long.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from sqlalchemy import text

from gis.alerts.policy import Tier
from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.notify.channels import channels_from
from gis.notify.subscriptions import SubscriptionRequest, subscribe
from gis.settings import Settings
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.databases import own_cluster
from tests.integration.test_situations import (
    evaluate,
    live_as_usual,
    places_of,
    report,
    send,
    valleys,
)
from tests.provinces import grid_communes, write_boundaries

SURGE, MINUTES = 300, 1.0
LONG = os.environ.get("GIS_BENCH_SURGE_LONG") == "1"
SAID_WITHIN_S, MOST_NOTIFICATIONS, VALLEYS = 5.0, 3, 5
CURIOUS = "everything"  # the subscription from tier watch on
_TEN_MINUTES_S = 600.0
_SETTLED_S = 30.0  # after the last report: what is due by then has been sent

Sent = Callable[[Database, Catalogue, Path, list[float]], None]


@dataclass
class Desk:
    """What subscriptions were sent: the moment, whose, and the payload."""

    got: list[tuple[float, str, dict]] = field(default_factory=list)


def main() -> int:
    ways: list[tuple[str, Sent]] = [
        ("one by one", one_by_one(SURGE, MINUTES)),
        ("one file", one_file),
        ("three senders", three_senders),
    ]
    chosen = sys.argv[1:]
    ways = [way for way in ways if not chosen or way[0] in chosen]
    if LONG:
        ways.append(("3,000 in ten minutes", one_by_one(3000, 10.0)))
    return max(measure(name, sent) for name, sent in ways)


def measure(name: str, sent: Sent) -> int:
    """Prints one way of sending; 1 where a promise is broken."""
    catalogue = read_catalogue(LAYERS)
    with (
        tempfile.TemporaryDirectory() as folder,
        own_cluster({}) as cluster,
        receiving() as (desk, port),
    ):
        database = Database(cluster.url)
        prepare(database, catalogue, Path(folder), port)
        committed: list[float] = []
        with working(cluster.url, Path(folder)):
            warm_up(database)
            begun = time.monotonic()
            sent(database, catalogue, Path(folder), committed)
            wait(_SETTLED_S)
        named = five_of(database)
        database.close()
    return told(name, desk, committed, begun, named)


def told(name: str, desk: Desk, committed: list[float], begun: float, named: set[str]) -> int:
    urgent = [
        (at, payload["alert"]) for at, _, payload in desk.got
        if payload["alert"]["severity"] == "urgent"
    ]  # fmt: skip
    if not urgent:
        print(f"{name:<22} no urgent notification came")
        return 1
    at, alert = urgent[0]
    # Voices counted are at most the reports stored: its evidence was there by then.
    made = committed[min(int(alert["measures"]["observed"]), len(committed)) - 1]
    first_s = at - made
    situations = [one for _, one in urgent if one["rule"] == "situation"]
    last = {place["code"] for place in situations[-1]["communes"]} if situations else set()
    counts = Counter(who for when, who, _ in desk.got if when - begun <= _TEN_MINUTES_S)
    most = max((n for who, n in counts.items() if who != f"/{CURIOUS}"), default=0)
    shown = ", ".join(f"{who[1:]} {n}" for who, n in sorted(counts.items()))
    print(
        f"{name:<22} first urgent after {first_s:4.1f} s ({alert['rule']}), "
        f"{len(named & last)} of {VALLEYS} valleys named; notifications: {shown}"
    )
    kept = first_s <= SAID_WITHIN_S and len(named & last) == VALLEYS
    return 0 if kept and most <= MOST_NOTIFICATIONS else 1


def five_of(database: Database) -> set[str]:
    return set(valleys(places_of(database), VALLEYS)[0])


def prepare(database: Database, catalogue: Catalogue, folder: Path, port: int) -> None:
    migrate(database)
    path = write_boundaries(folder, grid_communes())
    source = BoundarySource("grid", BoundaryQuality.OFFICIAL, (path,))
    load_boundaries(database, source, package_history())
    with database.writing() as connection:
        sync(connection, catalogue)
    live_as_usual(database)
    evaluate(database, catalogue, prompt=False)
    channels = channels_from(Settings(_env_file=None, webhook_networks="127.0.0.0/8"))
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE gis.subscription SET ended_at = now()")
        for who, least in (("duty", Tier.ALERT), ("leaders", Tier.URGENT), (CURIOUS, Tier.WATCH)):
            target = f"http://127.0.0.1:{port}/{who}"
            request = SubscriptionRequest(who, "webhook", target, least_severity=least)
            subscribe(connection, request, "bench", channels)


def one_by_one(surge: int, minutes: float) -> Sent:
    def sent(
        database: Database, catalogue: Catalogue, folder: Path, committed: list[float]
    ) -> None:
        codes, points = valleys(places_of(database), surge)
        begun = time.monotonic()
        for n in range(surge):
            wait(begun + n * 60 * minutes / surge - time.monotonic())
            now = datetime.now(UTC) - timedelta(seconds=1)
            report(database, [codes[n]], points[n][None], [now])
            committed.append(time.monotonic())

    return sent


def one_file(
    database: Database, catalogue: Catalogue, folder: Path, committed: list[float]
) -> None:
    send(database, catalogue, folder / "hotline.csv", valleys(places_of(database), SURGE)[1])
    committed += [time.monotonic()] * SURGE


def three_senders(
    database: Database, catalogue: Catalogue, folder: Path, committed: list[float]
) -> None:
    _, points = valleys(places_of(database), SURGE)
    for n in range(3):
        some: np.ndarray = points[n::3]
        send(database, catalogue, folder / f"office{n}.csv", some)
        committed += [time.monotonic()] * len(some)


def warm_up(database: Database) -> None:
    """One ordinary report, judged: the process of alarms has started, as on any other day."""
    (place,) = list(places_of(database).items())[:1]
    now = datetime.now(UTC) - timedelta(seconds=1)
    report(database, [place[0]], np.array([place[1]]), [now], "traffic")
    judged = text(
        "SELECT count(*) = 2 FROM gis.hotspot_run r JOIN gis.layer l ON l.id = r.layer_id"
        " WHERE l.id = 'citizen_reports' AND r.input_version = l.version"
        " AND r.method IN ('stp_scan', 'series')"
    )
    for _ in range(600):
        wait(0.2)
        with database.reading() as connection:
            if connection.scalar(judged):
                return
    raise TimeoutError("gis work does not judge a report")


@contextmanager
def working(url: str, folder: Path) -> Iterator[None]:
    """A `gis work` of its own."""
    environment = os.environ | {
        "GIS_DATABASE_URL": url,
        "GIS_HOME": str(folder / "home"),
        "GIS_WEBHOOK_NETWORKS": "127.0.0.0/8",
    }
    with (folder / "work.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "work"], env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def receiving() -> Iterator[tuple[Desk, int]]:
    """A receiver of webhooks on this machine."""
    desk = Desk()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            desk.got.append((time.monotonic(), self.path, json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield desk, server.server_address[1]
    finally:
        server.shutdown()


def wait(seconds: float) -> None:
    time.sleep(max(0.0, seconds))


if __name__ == "__main__":
    sys.exit(main())
