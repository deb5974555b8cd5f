"""Bodies that are loaded after they were answered: kept until a job has loaded them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, text

from gis.errors import NotFound
from gis.jobs.kind import RunningJob
from gis.jobs.queue import enqueue
from layers.definition.catalogue import Catalogue

if TYPE_CHECKING:  # a worker queues and forgets bodies; the process of a job loads them
    from layers.ingest.load import LoadOptions
    from layers.ingest.push import PushedFile

PUSH = "push"  # the kind of its jobs
ATTEMPTS = 3
_OPTIONS = ("who", "source", "answers", "mode", "confirmed", "dry_run", "most_failed")


@dataclass(frozen=True, slots=True)
class PushState:
    """How far a body is: queued, running, succeeded, failed or cancelled.

    `progress` is from 0 to 1, `why` what it failed of. `answer` is there when it has succeeded, and
    has no more of the records that failed than were asked for; `failed` is the number of all.
    """

    id: int
    layer_id: str
    who: str
    received_at: datetime
    state: str
    progress: float | None
    why: str
    answer: dict[str, Any] | None
    failed: int


def queue_push(
    connection: Connection, number: int, file: "PushedFile", options: "LoadOptions"
) -> None:
    """Keep a body that was entered with this number, and queue the job that loads it."""
    given = {name: value for name, value in asdict(options).items() if name in _OPTIONS}
    body = {"id": number, "name": file.name, "content": file.content}
    connection.execute(_PUT_BODY, body | {"options": orjson.dumps(given).decode()})
    job = enqueue(
        connection, PUSH, {"pushed": number}, most_attempts=ATTEMPTS, requested_by=options.who
    )
    connection.execute(_SET_JOB, {"id": number, "job": job})


def load_queued(job: RunningJob, catalogue: Catalogue) -> None:
    """Load the body of a job, in the transaction that ends the job; raises as `load_file`.

    Raises NotFound for a body or a layer that is gone since.
    """
    from layers.ingest.push import PushedFile, answer_of, keep_answer, load_pushed

    number = int(job.arguments["pushed"])
    with job.database.writing() as connection:
        row = connection.execute(_BODY, {"id": number}).one_or_none()
        if row is None:
            raise NotFound("the body is gone since: send it again")
        layer, file = catalogue.get(row.layer_id), PushedFile(row.name, row.content)
        options = _options_of(row.options)

        def show(done: int, total: int) -> None:
            job.report(done / total if total else None, f"{done} / {total}")

        with connection.begin_nested() as load:
            report = load_pushed(connection, layer, file, options, show)
            if options.dry_run:
                load.rollback()
        keep_answer(connection, number, answer_of(report))
        drop_body(connection, number)
        job.succeed(connection, "" if report.load_id is None else f"load {report.load_id}")


def find_push(
    connection: Connection, layer_id: str, number: int, *, after: int = 0, limit: int = 0
) -> PushState:
    """A body with at most `limit` of its failed records, those from the `after`-th on.

    Raises NotFound.
    """
    values = {"layer": layer_id, "id": number, "after": after, "limit": limit}
    row = connection.execute(_STATE, values).one_or_none()
    if row is None:
        raise no_push(number)
    return PushState(*row)


def no_push(number: int) -> NotFound:
    return NotFound(f"there is no body {number}, or it was answered more than a week ago")


def drop_body(connection: Connection, number: int) -> None:
    """Drop a body that was loaded, or refused: its sender has it, and sends it again."""
    connection.execute(_DROP_BODY, {"id": number})


def _options_of(given: Mapping[str, Any]) -> "LoadOptions":
    from gis.intake.layout import Layout
    from layers.ingest.load import LoadOptions
    from layers.ingest.mode import LoadMode
    from layers.ingest.records import FileOptions

    layout = given["answers"]["layout"]
    rows = layout["header_row"]
    place = Layout(**{**layout, "header_row": None if rows is None else (rows[0], rows[1])})
    answers = FileOptions(**{**given["answers"], "layout": place})
    return LoadOptions(**{**given, "answers": answers, "mode": LoadMode(given["mode"])})


_PUT_BODY = text("""
INSERT INTO private.pushed_body (pushed, name, content, options)
VALUES (:id, :name, :content, CAST(:options AS jsonb))
""")
_SET_JOB = text("UPDATE gis.pushed SET job = :job WHERE id = :id")
_BODY = text("""
SELECT p.layer_id, b.name, b.content, b.options
FROM private.pushed_body b JOIN gis.pushed p ON p.id = b.pushed WHERE p.id = :id
""")
_DROP_BODY = text("DELETE FROM private.pushed_body WHERE pushed = :id")
_STATE = text("""
SELECT p.id, p.layer_id, p.who, p.at,
       CASE WHEN p.answer IS NOT NULL THEN 'succeeded' ELSE coalesce(j.state, 'failed') END,
       CASE WHEN p.answer IS NOT NULL THEN 1 ELSE j.progress END,
       CASE WHEN p.answer IS NOT NULL THEN '' ELSE coalesce(j.error, 'its job is forgotten') END,
       jsonb_set(p.answer, '{failed}', coalesce((
         SELECT jsonb_agg(each.value ORDER BY each.ordinality)
         FROM jsonb_array_elements(p.answer -> 'failed') WITH ORDINALITY AS each
         WHERE each.ordinality > :after AND each.ordinality <= :after + :limit), '[]')),
       coalesce(jsonb_array_length(p.answer -> 'failed'), 0)
FROM gis.pushed p LEFT JOIN gis.job j ON j.id = p.job
WHERE p.layer_id = :layer AND p.id = :id
""")
