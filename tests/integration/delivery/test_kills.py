"""Whatever is killed, and whenever: no step is lost, and none acts twice at a receiver."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.delivery.sending import Sender, send_due
from gis.delivery.subscriptions import Channel, Wish, subscribe
from tests.acceptance.service import free_port
from tests.integration.delivery.processes import (
    HERE,
    QUICK,
    deliver_for_ever,
    receive_for_ever,
    start,
    write_for_ever,
)

KILLS = 200


@pytest.fixture
def receiving(toy_province: Database, tmp_path: Path):
    """The arguments of a receiver, whose webhook is subscribed to everything."""
    port = free_port()
    with toy_province.writing() as connection:
        wish = Wish("desk", Channel.WEBHOOK, f"http://127.0.0.1:{port}/", simulated=True)
        secret = subscribe(connection, wish, "tests", HERE)
    return port, secret, tmp_path / "book"


def kill_one(jobs, running, chance: random.Random) -> None:
    """End a process as the kernel does when memory runs out, and start its successor."""
    victim = chance.randrange(len(jobs))
    os.kill(running[victim].pid, signal.SIGKILL)
    running[victim].join(10)
    running[victim] = start(*jobs[victim])


def test_two_hundred_kills_lose_nothing_and_double_nothing(url, toy_province, receiving):
    chance = random.Random()
    name = toy_province.url
    jobs = [
        (write_for_ever, name),
        (deliver_for_ever, name),
        (deliver_for_ever, name),
        (receive_for_ever, *receiving),
    ]
    running = [start(*job) for job in jobs]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 0.08))
        kill_one(jobs, running, chance)
    stop(running[:3])
    deliver_the_rest(toy_province)
    stop(running[3:])
    check_books(toy_province, receiving[2])


def stop(processes) -> None:
    for process in processes:
        process.kill()
        process.join(10)


def deliver_the_rest(database: Database) -> None:
    end = time.monotonic() + 300
    while waiting(database) and time.monotonic() < end:
        send_due(database, Sender(HERE, retrying=QUICK))
    assert waiting(database) == 0


def waiting(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(text("SELECT count(*) FROM gis.delivery WHERE status = 'waiting'"))


def check_books(database: Database, book: Path) -> None:
    with database.reading() as connection:
        steps = connection.scalar(text("SELECT count(*) FROM gis.alert_event"))
        rows = connection.execute(text("SELECT key, status, seq FROM gis.delivery")).all()
    entered = Counter(line.split()[0] for line in book.read_text().splitlines())
    assert steps > 20
    assert len(rows) == len({row.seq for row in rows}) == steps
    assert {row.status for row in rows} == {"delivered"}
    assert entered == Counter({str(row.key): 1 for row in rows})
