"""Whatever is killed, and whenever: no step is lost, and none acts twice at a receiver."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import psycopg
import pytest
from lxml import etree
from sqlalchemy import text

from gis.database.cluster import Cluster
from gis.database.engine import Database
from gis.notify.cap.publication import publish_due
from gis.notify.cap.validation import cap_faults
from gis.notify.dispatch import send_due
from gis.notify.events import EventReader, events_after
from gis.notify.subscriptions import SubscriptionRequest, subscribe
from tests import soak
from tests.acceptance.service import free_port
from tests.conftest import migrated_toy_province
from tests.databases import killable_cluster
from tests.integration.notify import processes
from tests.integration.notify.made import open_to_all
from tests.integration.notify.processes import HERE, sender_by, start
from tests.integration.notify.test_events import events
from tests.waiting import wait_until

KILLS = {
    "our own": soak.size(2, 189),
    "backend": soak.size(1, 5),
    "postmaster": soak.size(1, 2),
}
WORKER_KILLS = soak.size(1, 4)  # which makes 5, or 200
LEAST_STEPS = 20


@dataclass
class Desk:
    """What hears of alerts: a webhook, a mail box and a browser, each with its book."""

    folder: Path
    secret: str = ""
    hook_port: int = field(default_factory=free_port)
    mail_port: int = field(default_factory=free_port)
    worker_port: int = field(default_factory=free_port)

    @property
    def hooks(self) -> Path:
        return self.folder / "hooks"

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    def subscribe(self, database: Database) -> None:
        hook = SubscriptionRequest(
            "hook", "webhook", f"http://127.0.0.1:{self.hook_port}/", simulated=True
        )
        mail = SubscriptionRequest("mail", "mail", "desk@example.vn", simulated=True)
        with database.writing() as connection:
            self.secret = subscribe(connection, hook, "tests", HERE) or ""
            subscribe(connection, mail, "tests", HERE)


class Listener(threading.Thread):
    """A client of the event stream that comes again with the last id that it has seen."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{port}/events"
        self.seen: list[int] = []
        self.ended = False
        self.killed = self.before = 0

    def kill_heard(self, crew: "Crew") -> int:
        """Kill the worker if its stream was heard since the last time; gives how often it was."""
        if self.killed < WORKER_KILLS and len(self.seen) > self.before:
            crew.kill(WORKER)
            self.killed, self.before = self.killed + 1, len(self.seen)
        return self.killed

    def run(self) -> None:
        while not self.ended:
            with suppress(httpx.HTTPError):
                self._listen()
            time.sleep(0.02)

    def _listen(self) -> None:
        last = {"Last-Event-ID": str(self.seen[-1] if self.seen else 0)}
        with httpx.stream("GET", self.url, headers=last, timeout=20) as answer:
            for event in events(answer.iter_lines()):
                self.seen.append(int(event["id"]))
                if self.ended:
                    return


@dataclass
class Crew:
    """The processes at work; whichever is killed has a successor."""

    jobs: Sequence[tuple]
    running: list[BaseProcess]

    def kill(self, number: int) -> None:
        """End a process as the kernel does when memory runs out."""
        assert self.running[number].is_alive()  # none ends by itself, whatever it meets
        os.kill(self.running[number].pid, signal.SIGKILL)
        self.running[number].join(10)
        self.running[number] = start(*self.jobs[number])

    def stop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.running[number].kill()
            self.running[number].join(10)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    processes.prepare()  # beside it
    with killable_cluster() as running:
        yield running


@pytest.fixture
def province(cluster, catalogue, tmp_path) -> Iterator[Database]:
    with migrated_toy_province(cluster.url, catalogue, tmp_path) as database:
        open_to_all(database)
        yield database


@contextmanager
def at_work(url: str, desk: Desk) -> Iterator[Crew]:
    jobs = [
        (processes.write_for_ever, url),
        (processes.deliver_for_ever, url, desk.mail_port),
        (processes.deliver_for_ever, url, desk.mail_port),
        (processes.publish_for_ever, url),
        (processes.receive_for_ever, desk.hook_port, desk.secret, desk.hooks),
        (processes.take_mail_for_ever, desk.mail_port, desk.mails),
        (processes.serve_for_ever, url, desk.worker_port),
    ]
    crew = Crew(jobs, [start(*job) for job in jobs])
    try:
        yield crew
    finally:
        crew.stop(range(len(jobs)))


WRITER, SENDERS, WORKER = 0, range(1, 4), 6


def test_kills_lose_nothing_and_double_nothing(cluster, province, tmp_path):
    chance = random.Random(soak.SEED)
    desk = Desk(tmp_path)
    desk.subscribe(province)
    listener = Listener(desk.worker_port)
    victims = [kind for kind, number in KILLS.items() for _ in range(number)]
    chance.shuffle(victims)
    documents: dict[str, str] = {}
    with at_work(cluster.url, desk) as crew:
        listener.start()
        wait_until(lambda: published(province), within_s=300)
        for victim in victims:
            time.sleep(chance.uniform(0, 0.08))
            kill_one(victim, cluster, crew, chance)
            if victim in ("backend", "postmaster"):
                province.close()  # its connections were cut
                documents |= published(province)
            listener.kill_heard(crew)
        wait_until(lambda: listener.kill_heard(crew) == WORKER_KILLS, within_s=300)
        wait_until(lambda: steps_in(province) > LEAST_STEPS, within_s=300)
        crew.stop([WRITER])
        tell_the_rest(province, desk)
        crew.stop(SENDERS)
        told = expected_events(province)
        wait_until(lambda: listener.seen[-1:] == told[-1:], within_s=300)
        listener.ended = True
        check_feed(desk)
    assert listener.seen == told
    check_hooks(province, desk.hooks)
    check_mails(province, desk.mails)
    check_documents(province, documents)
    soak.count("kills", len(victims) + WORKER_KILLS)


def kill_one(victim: str, cluster: Cluster, crew: Crew, chance: random.Random) -> None:
    match victim:
        case "postmaster":
            os.kill(cluster.postmaster, signal.SIGKILL)
            cluster.start()
        case "backend":
            kill_backend(cluster.url, chance)
        case _:
            crew.kill(chance.randrange(WORKER))


# Those that end by themselves only with the server or with their client.
_BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
"""


def kill_backend(url: str, chance: random.Random) -> None:
    """Any process of the server but the first, which then ends all others and begins anew."""
    with psycopg.connect(url, autocommit=True) as watching:
        pids = [pid for (pid,) in watching.execute(_BACKENDS)]
        chance.shuffle(pids)
        next(pid for pid in pids if is_killed(pid))
        wait_until(lambda: is_cut(watching), within_s=300)
    wait_until(lambda: answers(url), within_s=300)


def is_killed(pid: int) -> bool:
    """Not where it has just ended, with its client."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def is_cut(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT true")
    except psycopg.OperationalError:
        return True
    return False


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute("SELECT true").fetchone() == (True,)
    except psycopg.OperationalError:
        return False


def tell_the_rest(database: Database, desk: Desk) -> None:
    publish_due(database, "ioc.example.vn")
    sender = sender_by(desk.mail_port)
    wait_until(lambda: send_due(database, sender) == 0 == waiting(database), within_s=300)


def waiting(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(text("SELECT count(*) FROM gis.delivery WHERE status = 'waiting'"))


def steps_in(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(text("SELECT count(*) FROM gis.alert_event"))


def published(database: Database) -> dict[str, str]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT identifier, document FROM gis.cap_message"))
        return {row.identifier: row.document for row in rows}


def expected_events(database: Database) -> list[int]:
    reader = EventReader(["citizen_reports"], [], operator=False)
    with database.reading() as connection:
        steps = events_after(connection, 0, reader, limit=10**6)
    return [told.seq for told in steps]


def keys_of(database: Database, channel: str) -> list[str]:
    """The keys of all messages of a channel, each of which was delivered; one a step."""
    with database.reading() as connection:
        rows = connection.execute(
            text(
                "SELECT d.key, d.status, d.seq FROM gis.delivery d JOIN gis.subscription s"
                " ON s.id = d.subscription_id WHERE s.channel = :channel"
            ),
            {"channel": channel},
        ).all()
    steps = steps_in(database)
    assert steps > LEAST_STEPS
    assert len(rows) == len({row.seq for row in rows}) == steps
    assert {row.status for row in rows} == {"delivered"}
    return [str(row.key) for row in rows]


def check_hooks(database: Database, book: Path) -> None:
    entered = Counter(line.split()[0] for line in book.read_text().splitlines())
    assert entered == Counter(keys_of(database, "webhook"))


def check_mails(database: Database, book: Path) -> None:
    """What was sent twice, as its sender died before it noted so, is the same to the letter."""
    mails = book.read_text().splitlines()
    wanted = {f"<{key}@example.vn>" for key in keys_of(database, "mail")}
    assert {line.split()[0] for line in set(mails)} == wanted
    assert len(set(mails)) == len(wanted)
    assert len(mails) - len(wanted) <= 200


def check_documents(database: Database, before: dict[str, str]) -> None:
    """One document a step that has one, each valid, in the chain of its alert, and as it was."""
    with database.reading() as connection:
        steps = connection.execute(
            text(
                "SELECT seq, act FROM gis.notification WHERE act IN ('open', 'notify') ORDER BY seq"
            )
        ).all()
        made = connection.execute(text("SELECT seq, type FROM gis.cap_message ORDER BY seq")).all()
    kinds = {"open": "Alert", "notify": "Update"}
    assert made == [(step.seq, kinds[step.act]) for step in steps]
    now = published(database)
    assert before.items() <= now.items()
    assert before
    assert [faults for faults in map(cap_faults, now.values()) if faults] == []


def check_feed(desk: Desk) -> None:
    for name in ("atom", "rss"):
        answer = httpx.get(f"http://127.0.0.1:{desk.worker_port}/cap/{name}.xml", timeout=60)
        assert answer.status_code == 200
        etree.fromstring(answer.content)
