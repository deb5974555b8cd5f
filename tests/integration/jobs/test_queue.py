"""The queue: each job is claimed once, and only the latest claim stores a result."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import Conflict, NotFound, Superseded
from gis.jobs.queue import (
    KEPT_DAYS,
    Claim,
    cancel,
    claim,
    enqueue,
    fail,
    fence,
    is_held,
    prune_jobs,
    release,
    report,
    retry,
    retry_ended,
    succeed,
)
from gis.jobs.session import WorkerSession
from tests.integration.jobs.made import claimed, facts, queue, state_of, swept


def test_many_workers_claim_each_job_once(database: Database):
    jobs = [queue(database, "enter") for _ in range(60)]
    claims: list[Claim] = []

    def work() -> None:
        session = WorkerSession(database, leads=False)
        while (held := session.claim(["enter"])) is not None:
            claims.append(held)
        session.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert Counter(held.id for held in claims) == Counter(jobs)
    assert len({held.token for held in claims}) == len(jobs)


def test_the_same_work_is_queued_once_until_it_has_ended(database: Database):
    first = queue(database, "enter", key="one")
    with database.writing() as connection:
        assert enqueue(connection, "enter", key="one") is None
        held = claim(connection, ["enter"], 1)
        assert enqueue(connection, "enter", key="one") is None
        succeed(connection, held)
        assert enqueue(connection, "enter", key="one") is not None
    assert state_of(database, first) == "succeeded"


def test_the_most_urgent_goes_first_and_other_kinds_are_left(database: Database):
    with database.writing() as connection:
        for kind, priority in (("enter", 0), ("enter", 5), ("sleep", 9), ("enter", 5)):
            enqueue(connection, kind, {"priority": priority}, priority=priority)
        claims = [claim(connection, ["enter"], 1) for _ in range(4)]
    assert [held and held.arguments["priority"] for held in claims] == [5, 5, 0, None]
    assert claims[0].id < claims[1].id


STORES = [
    fence,
    succeed,
    release,
    lambda connection, held: report(connection, held, 0.5, ""),
    lambda connection, held: fail(connection, held, "why"),
    lambda connection, held: retry(connection, held, "why", timedelta(0)),
]


@pytest.mark.parametrize("store", STORES)
def test_a_claim_that_was_taken_up_by_another_stores_nothing(database: Database, store):
    job = queue(database, "enter")
    with claimed(database, "enter") as late:
        pass
    assert swept(database, job) == []
    with claimed(database, "enter") as held:
        assert (held.id, held.attempts) == (late.id, 2)
        assert held.token > late.token
        with database.writing() as connection:
            assert is_held(connection, held) and not is_held(connection, late)
        with pytest.raises(Superseded), database.writing() as connection:
            connection.execute(text("UPDATE gis.job SET priority = 7"))
            store(connection, late)
        with database.writing() as connection:
            store(connection, held)
    assert facts(database, held.id)["priority"] == 0


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("ends", [cancel, lambda connection, job_id: succeed_any(connection)])
def test_a_job_that_has_ended_stores_nothing_more(database: Database, store, ends):
    job = queue(database, "enter")
    with claimed(database, "enter") as held:
        with database.writing() as connection:
            ends(connection, job)
        ended = state_of(database, job)
        with pytest.raises(Superseded), database.writing() as connection:
            store(connection, held)
    assert state_of(database, job) == ended


def succeed_any(connection) -> None:
    connection.execute(
        text("UPDATE gis.job SET state = 'succeeded', owner = NULL, ended_at = now()")
    )


def test_a_result_and_the_end_of_its_job_are_stored_together_or_not_at_all(database: Database):
    job = queue(database, "enter")
    with claimed(database, "enter") as held:
        with pytest.raises(ZeroDivisionError), database.writing() as connection:
            succeed(connection, held)
            1 / 0  # noqa: B018
        assert state_of(database, job) == "running"


def test_who_cancels_waits_for_a_result_that_is_being_stored_and_comes_too_late(
    database: Database,
):
    job, outcomes = queue(database, "enter"), []

    def cancel_it() -> None:
        try:
            with database.writing() as connection:
                cancel(connection, job)
        except Conflict as error:
            outcomes.append(str(error))

    with claimed(database, "enter") as held:
        canceller = threading.Thread(target=cancel_it)
        with database.writing() as connection:
            fence(connection, held)
            canceller.start()
            canceller.join(0.3)
            assert canceller.is_alive()
            succeed(connection, held)
        canceller.join(10)
    assert outcomes == [f"job {job} has succeeded: nothing to cancel"]


def test_a_sweep_takes_up_the_jobs_of_workers_that_have_ended_and_of_no_other(
    database: Database,
):
    jobs = [queue(database, "enter") for _ in range(2)]
    with claimed(database, "enter"):
        with claimed(database, "enter"):
            pass
        assert swept(database, jobs[1]) == []
        assert [state_of(database, job) for job in jobs] == ["running", "queued"]
    assert "its worker ended while it ran (attempt 1 of 3)" in facts(database, jobs[1])["error"]


def test_a_job_whose_workers_end_each_time_fails_with_a_reason(database: Database):
    job = queue(database, "enter", attempts=2)
    for number in (1, 2):
        with claimed(database, "enter") as held:
            assert held.attempts == number
        lost = swept(database, job)
    assert [one.id for one in lost] == [job]
    assert state_of(database, job) == "failed"
    assert "attempt 2 of 2" in facts(database, job)["error"]


def test_a_job_is_retried_after_a_pause_until_it_has_had_all_attempts(database: Database):
    job = queue(database, "enter", attempts=2)
    with claimed(database, "enter") as held, database.writing() as connection:
        assert retry(connection, held, "no luck", timedelta(hours=1)) is True
    with database.writing() as connection:
        assert claim(connection, ["enter"], 1) is None
        connection.execute(text("UPDATE gis.job SET not_before = now()"))
        held = claim(connection, ["enter"], 1)
        assert retry(connection, held, "no luck", timedelta(0)) is False
    assert (state_of(database, job), facts(database, job)["error"]) == ("failed", "no luck")


def test_a_worker_that_stops_gives_its_job_back_uncounted(database: Database):
    job = queue(database, "enter")
    with claimed(database, "enter") as held, database.writing() as connection:
        release(connection, held)
    assert (state_of(database, job), facts(database, job)["attempts"]) == ("queued", 0)


def test_people_cancel_and_retry(database: Database):
    job = queue(database, "enter", key="one")
    with database.writing() as connection:
        cancel(connection, job)
    assert state_of(database, job) == "cancelled"
    other = queue(database, "enter", key="one")
    with database.writing() as connection:
        with pytest.raises(Conflict, match=r"the same work .* is queued or runs already"):
            retry_ended(connection, job)
        with pytest.raises(Conflict, match=f"job {other} is queued: only one that failed"):
            retry_ended(connection, other)
        cancel(connection, other)
        retry_ended(connection, job)
        with pytest.raises(NotFound, match="there is no job 999"):
            cancel(connection, 999)
    assert state_of(database, job) == "queued"


@pytest.mark.parametrize("state", KEPT_DAYS)
def test_jobs_that_ended_long_ago_are_forgotten(database: Database, state: str):
    jobs = [queue(database, "enter") for _ in range(3)]
    with database.writing() as connection:
        ended = text(
            "UPDATE gis.job SET state = :state, ended_at = now() - make_interval(days => :days)"
            " WHERE id = :id"
        )
        for job, days in zip(jobs, (KEPT_DAYS[state] - 1, KEPT_DAYS[state] + 1), strict=False):
            connection.execute(ended, {"state": state, "days": days, "id": job})
        assert prune_jobs(connection) == 1
        left = connection.scalars(text("SELECT id FROM gis.job ORDER BY id")).all()
    assert left == [jobs[0], jobs[2]]
