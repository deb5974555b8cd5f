"""State of the sources that the service reads, in `gis.source`: one row a layer.

A run takes a token; what it stores is stored only as long as no other run has taken the next one,
and a pause, a change of the layer file or a question takes it away too.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from gis.errors import NotFound, Superseded
from layers.definition.model import FeedSource, Layer
from layers.sources.schedule import FAILURES_TO_OPEN, fresh_until, next_run, pause_after


@dataclass(frozen=True, slots=True)
class Question:
    """What a person has to decide before a source is read again; `answer` says how."""

    kind: str
    why: str
    answer: str


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run that was begun: what it stores, it stores with its token."""

    layer_id: str
    token: int
    cursor: Mapping[str, Any]
    answers: Mapping[str, str]
    confirmed: bool
    columns: Mapping[str, Any]
    crashes: int = 0  # runs in a row that ended with their process


def feeds_of(layers: Iterable[Layer]) -> dict[str, FeedSource]:
    """The sources that the service reads by itself, by layer."""
    return {each.id: each.source for each in layers if isinstance(each.source, FeedSource)}


def enter_sources(connection: Connection, layers: Iterable[Layer]) -> None:
    """Enter the sources of the layer files; one that reads something else begins anew.

    So does one that is mapped otherwise, since a source may never send again what it sent once.
    """
    published = set(connection.scalars(_PUBLISHED))
    entered = [each for each in layers if each.id in published]
    feeds, by_id = feeds_of(entered), {each.id: each for each in entered}
    now = datetime.now(UTC)
    for layer_id, feed in feeds.items():
        values = {
            "layer": layer_id,
            "connector": feed.connector,
            "reads": _reads(feed),
            "mapping": _mapping(by_id[layer_id]),
            "simulated": feed.simulated,
            "next_run": next_run(feed, now),
        }
        connection.execute(_ENTER, values)
        _promise_anew(connection, layer_id, feed)
    connection.execute(_LEAVE, {"layers": list(feeds)})


def is_entered(connection: Connection, layer_id: str) -> bool:
    """True where the layer is published, and its source is known."""
    return connection.scalar(_IS_ENTERED, {"layer": layer_id}) is not None


def begin_run(connection: Connection, layer_id: str) -> SourceRun:
    """Begin a run of a source, whatever it waits for; one that is under way stores no more.

    Raises NotFound.
    """
    row = connection.execute(_BEGIN, {"layer": layer_id}).one_or_none()
    if row is None:
        raise no_source(layer_id)
    return SourceRun(
        layer_id, row.token, row.cursor, row.answers, row.confirmed, row.columns, row.crashes
    )


def fence_run(connection: Connection, run: SourceRun) -> None:
    """From here to the end of the transaction no other run may store. Raises Superseded."""
    if connection.scalar(_FENCE, {"layer": run.layer_id, "token": run.token}) is None:
        raise Superseded(f"the source of {run.layer_id} is read by another run, or was stopped")


def store_progress(
    connection: Connection,
    run: SourceRun,
    cursor: Mapping[str, Any],
    columns: Mapping[str, Any],
    *,
    newest: datetime | None,
    changed: bool,
) -> None:
    """Store how far a run is, in the transaction that stores its batch."""
    values = {
        "layer": run.layer_id,
        "token": run.token,
        "cursor": orjson.dumps(dict(cursor)).decode(),
        "columns": orjson.dumps(dict(columns)).decode(),
        "newest": newest,
        "changed": changed,
    }
    connection.execute(_PROGRESS, values)


def end_run(connection: Connection, run: SourceRun, feed: FeedSource, *, is_complete: bool) -> None:
    """End a run without an error; one that is not complete goes on at once."""
    now = datetime.now(UTC)
    values = {
        "layer": run.layer_id,
        "token": run.token,
        "complete": is_complete,
        "next_due": next_run(feed, now) if is_complete else now,
    }
    connection.execute(_END, values)
    _promise_anew(connection, run.layer_id, feed)


def fail_run(
    connection: Connection,
    run: SourceRun,
    feed: FeedSource,
    why: str,
    *,
    retry_after_s: float | None = None,
    opens: bool = False,
) -> None:
    """End a run with an error; it is tried again after a pause. `opens`: as after many failures."""
    failures = connection.scalar(_FAILURES, {"layer": run.layer_id}) or 0
    failures = max(failures + 1, FAILURES_TO_OPEN if opens else 0)
    is_open = failures >= FAILURES_TO_OPEN
    next_due = datetime.now(UTC) + pause_after(failures, retry_after_s)
    values = {
        "layer": run.layer_id,
        "token": run.token,
        "why": why[:2000],
        "failures": failures,
        "next_due": next_due,
        "open_until": next_due if is_open else None,
    }
    connection.execute(_FAIL, values)


def ask(connection: Connection, run: SourceRun, question: Question) -> None:
    """End a run with a question: the source is not read before it is answered."""
    asked = {"kind": question.kind, "why": question.why, "answer": question.answer}
    values = {"layer": run.layer_id, "token": run.token, "question": orjson.dumps(asked).decode()}
    connection.execute(_ASK, values)


def answer(
    connection: Connection, layer_id: str, answers: Mapping[str, str], *, confirmed: bool
) -> None:
    """Answer the question of a source, which then is due. Raises NotFound where it has none."""
    values = {
        "layer": layer_id,
        "answers": orjson.dumps(dict(answers)).decode(),
        "confirmed": confirmed,
    }
    if connection.scalar(_ANSWER, values) is None:
        raise NotFound(f"the source of {layer_id} asks nothing: see `gis sources list`")


def pause(connection: Connection, layer_id: str, who: str) -> None:
    """Read a source no more until it is resumed; a run under way stores nothing more."""
    _change(connection, _PAUSE, layer_id, who=who)


def resume(connection: Connection, layer_id: str) -> None:
    """Read a paused source again, at once."""
    _change(connection, _RESUME, layer_id)


def retry_now(connection: Connection, layer_id: str) -> None:
    """Read a source at once, whatever failed; a question is asked again if it still stands."""
    _change(connection, _RETRY, layer_id)


def due_sources(connection: Connection) -> list[str]:
    """The layers whose sources are due, those that wait longest first."""
    return list(connection.scalars(_DUE))


def list_sources(connection: Connection) -> list[dict[str, Any]]:
    """All that is known of each source that a layer file names, by layer."""
    return [dict(row._mapping) for row in connection.execute(_LIST)]


def find_source(connection: Connection, layer_id: str) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    found = [row for row in list_sources(connection) if row["layer_id"] == layer_id]
    if not found:
        raise no_source(layer_id)
    return found[0]


def _change(connection: Connection, statement: Any, layer_id: str, **more: Any) -> None:
    if connection.scalar(statement, {"layer": layer_id, **more}) is None:
        raise no_source(layer_id)


def no_source(layer_id: str) -> NotFound:
    return NotFound(
        f"the layer {layer_id} has no source that the service reads: `gis sources list` names them"
    )


def _reads(feed: FeedSource) -> str:
    """What makes a cursor another: who reads what, under which name."""
    return _digest(feed.model_dump(mode="json", include={"connector", "name", "read"}))


def _mapping(layer: Layer) -> str:
    """What makes other rows of the same records, whatever fields are called for people."""
    source = layer.source.model_dump(mode="json", exclude=_NO_MAPPING)
    words = {"label", "description"}
    fields = {
        name: each.model_dump(mode="json", exclude=words) for name, each in layer.fields.items()
    }
    return _digest([source, fields, layer.geometry, layer.placed])


_NO_MAPPING = {"schedule", "promise", "deletions", "contract"}


def _digest(content: Any) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _promise_anew(connection: Connection, layer_id: str, feed: FeedSource) -> None:
    row = connection.execute(_FRESH, {"layer": layer_id}).one()
    until = None
    if feed.promise is not None:
        fresh_at = row.last_success if feed.promise.by == "reading" else row.newest
        until = fresh_until(feed.promise, fresh_at, row.since)
    connection.execute(_SET_FRESH, {"layer": layer_id, "until": until})


_ENTER = text("""
INSERT INTO gis.source AS s (layer_id, connector, reads, mapping, simulated)
VALUES (:layer, :connector, :reads, :mapping, :simulated)
ON CONFLICT (layer_id) DO UPDATE SET
  connector = excluded.connector, reads = excluded.reads, mapping = excluded.mapping,
  simulated = excluded.simulated, active = true,
  columns = CASE WHEN s.reads = excluded.reads THEN s.columns ELSE '{}' END,
  (cursor, token, failures, error, question, open_until, next_due) = (
    SELECT s.cursor, s.token, s.failures, s.error, s.question, s.open_until,
           CASE WHEN s.failures = 0 THEN least(s.next_due, :next_run) ELSE s.next_due END
    WHERE (s.reads, s.mapping) = (excluded.reads, excluded.mapping)
    UNION ALL
    SELECT '{}', nextval('gis.job_number'), 0, '', NULL, NULL, now()
    WHERE (s.reads, s.mapping) <> (excluded.reads, excluded.mapping))
""")
_PUBLISHED = text("SELECT id FROM gis.layer WHERE published")
_LEAVE = text("""
UPDATE gis.source SET active = false, token = nextval('gis.job_number'), started_at = NULL
WHERE active AND NOT layer_id = ANY(:layers)
""")
_IS_ENTERED = text("SELECT layer_id FROM gis.source WHERE layer_id = :layer AND active")
_BEGIN = text("""
UPDATE gis.source SET token = nextval('gis.job_number'), started_at = clock_timestamp(),
  last_try = clock_timestamp(),
  crashes = CASE WHEN started_at IS NULL THEN 0 ELSE crashes + 1 END
WHERE layer_id = :layer AND active
RETURNING token, cursor, answers, confirmed, columns, crashes
""")
_FENCE = text("""
SELECT token FROM gis.source
WHERE layer_id = :layer AND token = :token AND active FOR NO KEY UPDATE
""")
_PROGRESS = text("""
UPDATE gis.source SET cursor = CAST(:cursor AS jsonb), columns = CAST(:columns AS jsonb),
  newest = greatest(newest, :newest),
  last_change = CASE WHEN :changed THEN clock_timestamp() ELSE last_change END
WHERE layer_id = :layer AND token = :token
""")
_END = text("""
UPDATE gis.source SET started_at = NULL, failures = 0, error = '', open_until = NULL,
  question = NULL, confirmed = false, next_due = :next_due,
  last_success = CASE WHEN :complete THEN clock_timestamp() ELSE last_success END
WHERE layer_id = :layer AND token = :token
""")
_FAILURES = text("SELECT failures FROM gis.source WHERE layer_id = :layer")
_FAIL = text("""
UPDATE gis.source SET started_at = NULL, failures = :failures, error = :why,
  next_due = :next_due, open_until = :open_until
WHERE layer_id = :layer AND token = :token
""")
_ASK = text("""
UPDATE gis.source SET started_at = NULL, question = CAST(:question AS jsonb), confirmed = false
WHERE layer_id = :layer AND token = :token
""")
_ANSWER = text("""
UPDATE gis.source SET question = NULL, answers = answers || CAST(:answers AS jsonb),
  confirmed = :confirmed, next_due = now(), failures = 0, open_until = NULL
WHERE layer_id = :layer AND active AND question IS NOT NULL RETURNING layer_id
""")
_PAUSE = text("""
UPDATE gis.source SET paused_at = now(), paused_by = :who, token = nextval('gis.job_number'),
  started_at = NULL
WHERE layer_id = :layer AND active RETURNING layer_id
""")
_RESUME = text("""
UPDATE gis.source SET paused_at = NULL, paused_by = NULL, next_due = now()
WHERE layer_id = :layer AND active RETURNING layer_id
""")
_RETRY = text("""
UPDATE gis.source SET failures = 0, open_until = NULL, question = NULL, confirmed = false,
  next_due = now()
WHERE layer_id = :layer AND active RETURNING layer_id
""")
_DUE = text("""
SELECT layer_id FROM gis.source
WHERE active AND next_due <= now() AND paused_at IS NULL AND question IS NULL
ORDER BY next_due, layer_id
""")
_LIST = text("""
SELECT s.*, gis.source_state(s) AS state FROM gis.source s WHERE active ORDER BY layer_id
""")
_FRESH = text("SELECT last_success, newest, since FROM gis.source WHERE layer_id = :layer")
_SET_FRESH = text("UPDATE gis.source SET fresh_until = :until WHERE layer_id = :layer")
