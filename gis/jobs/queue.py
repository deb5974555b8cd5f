"""The queue: jobs that wait, run and have ended, as rows of gis.job.

    enqueue → queued → claim → running → succeed → succeeded
                 ↑                │  └→ fail, cancel → failed, cancelled
                 └─ retry, sweep ─┘

A job is claimed by a worker with a token that no other claim has. Its results are stored in a
transaction that asks for that token (`fence`, `succeed`): what a claim still computes that was
taken up by somebody else, or cancelled, is refused. A worker is alive as long as the session in
which it claims holds its advisory lock; no clock is compared, and nothing has to be renewed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, text

from gis.errors import Conflict, NotFound, Superseded

KEPT_DAYS = {"succeeded": 2, "failed": 30, "cancelled": 30}  # after which an ended job is forgotten
_WHY_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Claim:
    """A job as one worker runs it."""

    id: int
    kind: str
    arguments: Mapping[str, Any]
    token: int
    attempts: int  # this one included


def enqueue(
    connection: Connection,
    kind: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    priority: int = 0,
    most_attempts: int = 1,
    requested_by: str = "service",
) -> int | None:
    """The number of the new job; None where one of this key is queued or running."""
    values = {
        "kind": kind,
        "arguments": orjson.dumps(dict(arguments or {})).decode(),
        "key": key,
        "priority": priority,
        "most_attempts": most_attempts,
        "requested_by": requested_by,
    }
    number: int | None = connection.scalar(_ENQUEUE, values)
    return number


_ENQUEUE = text("""
INSERT INTO gis.job (kind, arguments, key, priority, most_attempts, requested_by)
VALUES (:kind, CAST(:arguments AS jsonb), :key, :priority, :most_attempts, :requested_by)
ON CONFLICT (key) WHERE state IN ('queued', 'running') DO NOTHING
RETURNING id
""")


def claim(connection: Connection, kinds: Sequence[str], worker: int) -> Claim | None:
    """The next job of these kinds that is due, which then is this worker's; None without any."""
    row = connection.execute(_CLAIM, {"kinds": list(kinds), "worker": worker}).one_or_none()
    return None if row is None else Claim(**row._mapping)


_CLAIM = text("""
UPDATE gis.job
SET state = 'running', owner = :worker, token = nextval('gis.job_number'),
    attempts = attempts + 1, started_at = clock_timestamp(), progress = NULL, message = ''
WHERE id = (SELECT id FROM gis.job
            WHERE state = 'queued' AND not_before <= now() AND kind = ANY(:kinds)
            ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, kind, arguments, token, attempts
""")

_HELD = "WHERE id = :id AND token = :token AND state = 'running'"


def fence(connection: Connection, held: Claim) -> None:
    """From here to the end of the transaction, nobody takes up or cancels the job.

    Raises Superseded where somebody has: the transaction must not be committed.
    """
    _change(connection, _FENCE, held)


def report(connection: Connection, held: Claim, progress: float | None, message: str) -> None:
    """Store how far the job is, from 0 to 1, and what it does. Raises Superseded."""
    _change(connection, _REPORT, held, progress=progress, message=message[:_WHY_LENGTH])


def succeed(connection: Connection, held: Claim, message: str = "") -> None:
    """End the job, in the transaction of its result. Raises Superseded, as `fence` does."""
    _change(connection, _SUCCEED, held, message=message[:_WHY_LENGTH])


def fail(connection: Connection, held: Claim, why: str) -> None:
    """End the job without a result. Raises Superseded."""
    _change(connection, _FAIL, held, why=why[:_WHY_LENGTH])


def retry(connection: Connection, held: Claim, why: str, pause: timedelta) -> bool:
    """Queue the job again after a pause; False: it has had all its attempts, and failed.

    Raises Superseded.
    """
    state = _change(connection, _RETRY, held, why=why[:_WHY_LENGTH], pause=pause)
    return state == "queued"


def release(connection: Connection, held: Claim) -> None:
    """Queue the job again as if it had not been claimed: its worker stops. Raises Superseded."""
    _change(connection, _RELEASE, held)


def _change(connection: Connection, statement: Any, held: Claim, **more: Any) -> str:
    state = connection.scalar(statement, {"id": held.id, "token": held.token, **more})
    if state is None:
        raise Superseded(f"job {held.id} was cancelled, or taken up by another worker")
    return str(state)


_FENCE = text(f"SELECT state FROM gis.job {_HELD} FOR NO KEY UPDATE")  # noqa: S608 (ours)
_REPORT = text(
    f"UPDATE gis.job SET progress = :progress, message = :message {_HELD} RETURNING state"  # noqa: S608
)
_SUCCEED = text(
    "UPDATE gis.job SET state = 'succeeded', owner = NULL, progress = 1, message = :message,"  # noqa: S608
    f" error = '', ended_at = clock_timestamp() {_HELD} RETURNING state"
)
_FAIL = text(
    "UPDATE gis.job SET state = 'failed', owner = NULL, error = :why,"  # noqa: S608
    f" ended_at = clock_timestamp() {_HELD} RETURNING state"
)
_AGAIN = """
state = CASE WHEN attempts < most_attempts THEN 'queued' ELSE 'failed' END, owner = NULL,
ended_at = CASE WHEN attempts < most_attempts THEN NULL ELSE clock_timestamp() END"""
_RETRY = text(
    f"UPDATE gis.job SET {_AGAIN}, error = :why, not_before = clock_timestamp() + :pause"  # noqa: S608
    f" {_HELD} RETURNING state"
)
_RELEASE = text(
    f"UPDATE gis.job SET state = 'queued', owner = NULL, attempts = attempts - 1 {_HELD}"  # noqa: S608
    " RETURNING state"
)


def is_held(connection: Connection, held: Claim) -> bool:
    """True while nobody has cancelled the job, or taken it up."""
    return connection.scalar(_IS_HELD, {"id": held.id, "token": held.token}) is not None


_IS_HELD = text(f"SELECT state FROM gis.job {_HELD}")  # noqa: S608


def has_succeeded(connection: Connection, held: Claim) -> bool:
    """True where this very claim stored its result."""
    statement = text("SELECT state = 'succeeded' AND token = :token FROM gis.job WHERE id = :id")
    return bool(connection.scalar(statement, {"id": held.id, "token": held.token}))


def sweep(connection: Connection) -> list[Claim]:
    """Take up the jobs of workers that have ended: queued again, or failed after all attempts.

    Gives those that failed.
    """
    rows = connection.execute(_SWEEP).all()
    return [
        Claim(row.id, row.kind, row.arguments, row.token, row.attempts)
        for row in rows
        if row.state == "failed"
    ]


# A lock that can be had is that of nobody; it is given back at the end of the transaction. Another
# sweep at this very moment finds it taken, and nothing to do.
_SWEEP = text(f"""
WITH owner AS MATERIALIZED (SELECT DISTINCT owner FROM gis.job WHERE state = 'running'),
     ended AS MATERIALIZED (
       SELECT owner FROM owner
       WHERE pg_try_advisory_xact_lock(hashtextextended('job worker ' || owner, 0)))
UPDATE gis.job SET {_AGAIN}, not_before = clock_timestamp(),
  error = 'its worker ended while it ran (attempt ' || attempts || ' of ' || most_attempts || ')'
WHERE state = 'running' AND owner IN (SELECT owner FROM ended)
RETURNING id, kind, arguments, token, attempts, state
""")  # noqa: S608


def cancel(connection: Connection, job_id: int) -> None:
    """Cancel a job that waits or runs; its worker ends what computes it within a second.

    Raises NotFound, and Conflict for one that has ended.
    """
    if connection.scalar(_CANCEL, {"id": job_id}) is None:
        raise Conflict(f"job {job_id} has {_state(connection, job_id)}: nothing to cancel")


_CANCEL = text("""
UPDATE gis.job SET state = 'cancelled', owner = NULL, ended_at = clock_timestamp()
WHERE id = :id AND state IN ('queued', 'running') RETURNING id
""")


def retry_ended(connection: Connection, job_id: int) -> None:
    """Queue a job again that failed or was cancelled, with all its attempts.

    Raises NotFound, and Conflict for one in another state, or whose work is queued already.
    """
    if connection.scalar(_RETRY_ENDED, {"id": job_id}) is None:
        state = _state(connection, job_id)
        if state in ("failed", "cancelled"):
            raise Conflict(f"the same work as that of job {job_id} is queued or runs already")
        raise Conflict(f"job {job_id} is {state}: only one that failed or was cancelled is retried")


_RETRY_ENDED = text("""
UPDATE gis.job j SET state = 'queued', attempts = 0, not_before = clock_timestamp(),
  ended_at = NULL, error = '', progress = NULL
WHERE id = :id AND state IN ('failed', 'cancelled')
  AND NOT EXISTS (SELECT FROM gis.job other
                  WHERE other.key = j.key AND other.state IN ('queued', 'running'))
RETURNING id
""")


def _state(connection: Connection, job_id: int) -> str:
    return str(find_job(connection, job_id)["state"])


def find_job(connection: Connection, job_id: int) -> dict[str, Any]:
    """A job with all that is known of it. Raises NotFound."""
    row = connection.execute(text("SELECT * FROM gis.job WHERE id = :id"), {"id": job_id}).first()
    if row is None:
        raise NotFound(f"there is no job {job_id}: `gis jobs list` names those there are")
    return dict(row._mapping)


def list_jobs(connection: Connection, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Jobs in a state (None: in any), the newest first."""
    rows = connection.execute(_LIST, {"state": state, "limit": limit})
    return [dict(row._mapping) for row in rows]


_LIST = text("""
SELECT id, kind, key, state, attempts, progress, message, error, created_at, started_at, ended_at
FROM gis.job WHERE CAST(:state AS text) IS NULL OR state = :state
ORDER BY id DESC LIMIT :limit
""")


def prune_jobs(connection: Connection) -> int:
    """Forget jobs that ended long ago; gives how many."""
    ages = orjson.dumps(KEPT_DAYS).decode()
    return connection.execute(_PRUNE, {"ages": ages}).rowcount


_PRUNE = text("""
DELETE FROM gis.job
WHERE ended_at < now() - make_interval(days => CAST(CAST(:ages AS jsonb) ->> state AS int))
""")
