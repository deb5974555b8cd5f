"""Executions of processes as rows of gis.process_run: added, listed, read, dismissed, forgotten.

The state of one that has a job is that of the job until its result is there: both are written in
one transaction, so that they never disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from cachetools import LRUCache
from sqlalchemy import Connection, text

from gis.access import ANONYMOUS, Principal, Role, may_read
from gis.errors import NoSuchJob, NotFound, TooMany
from gis.jobs.queue import cancel, enqueue
from layers.definition.catalogue import Catalogue
from layers.definition.model import Audience, Layer
from layers.items.results import result_id

PROCESS = "process"  # the kind of its jobs
ATTEMPTS = 3  # where workers are lost
KEPT_DAYS = 7
MOST_WAITING = 20  # jobs of one key; of all who have none together

# The same object for the same result, by which sources, statements and tiles are kept.
_layers: LRUCache[UUID, Layer] = LRUCache(500)


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """One execution. `status`: accepted, running, successful, failed or dismissed (OGC 18-062)."""

    id: UUID
    process: str
    inputs: Mapping[str, Any]
    answer: Mapping[str, Any]  # how it is wanted: `response` and `outputs` of the request
    owner: str
    role: str
    status: str
    progress: float | None
    message: str
    log: tuple[str, ...]
    value: Mapping[str, Any] | None
    has_collection: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime | None

    @property
    def collection(self) -> str | None:
        """The id of the collection that it made."""
        return result_id(self.id) if self.has_collection else None


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The collection of an execution, and the versions of the layers that it rests on."""

    layer: Layer
    reads: Mapping[str, int]
    ended_at: datetime
    expires_at: datetime | None
    process: str
    inputs: Mapping[str, Any]
    is_soon_forgotten: bool  # within less than a day of what reading it gives


def add_run(
    connection: Connection,
    process: str,
    inputs: Mapping[str, Any],
    principal: Principal,
    job: int | None = None,
    answer: Mapping[str, Any] | None = None,
) -> UUID:
    """Enter an execution, with what is needed to do it with the rights of who asks."""
    values = {
        "process": process,
        "inputs": orjson.dumps(inputs).decode(),
        "owner": principal.name,
        "role": principal.role.value,
        "layers": sorted(principal.layers),
        "job": job,
        "answer": orjson.dumps(answer or {}).decode(),
    }
    run: UUID = connection.execute(_ADD, values).scalar_one()
    return run


_ADD = text("""
INSERT INTO gis.process_run (process, inputs, owner, role, layers, job, answer)
VALUES (:process, CAST(:inputs AS jsonb), :owner, :role, :layers, :job, CAST(:answer AS jsonb))
RETURNING id
""")


_SET_JOB = text("UPDATE gis.process_run SET job = :job WHERE id = :id")


def queue_run(
    connection: Connection,
    process: str,
    inputs: Mapping[str, Any],
    principal: Principal,
    answer: Mapping[str, Any] | None = None,
) -> UUID:
    """Enter an execution and queue its job. Raises TooMany."""
    waiting = connection.scalar(_WAITING, _owner(principal)) or 0
    if waiting >= MOST_WAITING:
        raise TooMany(
            f"{waiting} jobs of yours wait or run: wait until one has ended, or dismiss one"
        )
    run = add_run(connection, process, inputs, principal, answer=answer)
    job = enqueue(
        connection, PROCESS, {"run": str(run)}, most_attempts=ATTEMPTS, requested_by=principal.name
    )
    connection.execute(_SET_JOB, {"id": run, "job": job})
    return run


_WAITING = text("""
SELECT count(*) FROM gis.process_run r JOIN gis.job j ON j.id = r.job
WHERE r.owner = :owner AND r.role = :role AND j.state IN ('queued', 'running')
""")

_STATUS = """CASE WHEN r.ended_at IS NOT NULL THEN 'successful'
  WHEN j.state = 'queued' THEN 'accepted' WHEN j.state = 'running' THEN 'running'
  WHEN j.state = 'cancelled' THEN 'dismissed' ELSE 'failed' END"""
_RUNS = f"""
SELECT * FROM (
SELECT r.id, r.process, r.inputs, r.answer, r.owner, r.role, {_STATUS} AS status,
  CASE WHEN r.ended_at IS NOT NULL THEN 1 ELSE j.progress END AS progress,
  coalesce(nullif(j.error, ''), j.message, '') AS message, r.log, r.value,
  r.definition IS NOT NULL AS has_collection, r.created_at,
  coalesce(r.started_at, j.started_at) AS started_at, coalesce(r.ended_at, j.ended_at) AS ended_at,
  r.expires_at
FROM gis.process_run r LEFT JOIN gis.job j ON j.id = r.job
WHERE r.expires_at IS NULL OR r.expires_at > now()) AS run
"""  # noqa: S608 (ours)
_MINE = "(CAST(:everybody AS boolean) OR (owner = :owner AND role = :role))"


def list_runs(
    connection: Connection,
    principal: Principal,
    *,
    limit: int,
    offset: int = 0,
    process: str | None = None,
    status: str | None = None,
) -> list[ProcessRun]:
    """Executions of somebody, the newest first; of all for an administrator.

    Those of the anonymous are known by their id alone, so that nobody sees those of another.
    """
    if principal.role is Role.ANONYMOUS:
        return []
    values = {
        **_owner(principal),
        "everybody": principal.role is Role.ADMIN,
        "process": process,
        "status": status,
        "limit": limit,
        "offset": offset,
    }
    return [_run(row) for row in connection.execute(_LIST, values)]


_LIST = text(f"""{_RUNS} WHERE {_MINE}
AND (CAST(:process AS text) IS NULL OR process = :process)
AND (CAST(:status AS text) IS NULL OR status = :status)
ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset""")


def find_run(connection: Connection, run: UUID, principal: Principal) -> ProcessRun:
    """Raises NoSuchJob for one that does not exist, has expired, or is somebody else's."""
    row = connection.execute(_FIND, {"id": run}).one_or_none()
    if row is None or not _is_seen(row.owner, row.role, principal):
        raise NoSuchJob(f"there is no job {run}, or this key may not see it")
    return _run(row)


_FIND = text(f"{_RUNS} WHERE id = :id")


def _run(row: Any) -> ProcessRun:
    values = dict(row._mapping)
    return ProcessRun(**{**values, "log": tuple(values["log"])})


def _owner(principal: Principal) -> dict[str, str]:
    return {"owner": principal.name, "role": principal.role.value}


def _is_seen(owner: str, role: str, principal: Principal) -> bool:
    """An id cannot be guessed: what nobody in particular made is for who knows it."""
    if role == ANONYMOUS.role or principal.role is Role.ADMIN:
        return True
    return (owner, role) == (principal.name, principal.role.value)


def readable_result(
    connection: Connection, run: UUID, catalogue: Catalogue, principal: Principal
) -> StoredResult:
    """The collection of an execution, for who may see both it and all that it rests on.

    Raises NotFound, in the same words, where there is none, it has expired, it is somebody else's,
    or a layer that it rests on was closed, removed, or is not for this principal.
    """
    unknown = NotFound(f"there is no layer {result_id(run)}, or this key may not read it")
    row = connection.execute(_RESULT, {"id": run, "days": KEPT_DAYS}).one_or_none()
    if row is None or not row.is_open or not _is_seen(row.owner, row.role, principal):
        raise unknown
    access = {layer.id: layer.access.read for layer in catalogue.layers}
    if not row.reads.keys() <= access.keys():
        rasters = connection.execute(_RASTERS, {"ids": list(row.reads)})
        access |= {raster.id: Audience(raster.read) for raster in rasters}
    for name in row.reads:
        if name not in access or not may_read(principal, access[name], name):
            raise unknown
    layer = _layers.get(run)
    if layer is None:
        layer = _layers[run] = _layer_of(row.definition)
    return StoredResult(
        layer,
        row.reads,
        row.ended_at,
        row.expires_at,
        row.process,
        row.inputs,
        row.is_soon_forgotten,
    )


def definition_of(layer: Layer) -> dict[str, Any]:
    """A layer as it is stored: jsonb keeps no order of members, and fields have one."""
    return {**layer.model_dump(mode="json", exclude_none=True), "order": list(layer.fields)}


def _layer_of(definition: Mapping[str, Any]) -> Layer:
    fields = {name: definition["fields"][name] for name in definition["order"]}
    rest = {name: value for name, value in definition.items() if name != "order"}
    return Layer.model_validate({**rest, "fields": fields})


# What a closed layer, or a closed field of one, was derived from is no longer handed out.
_RESULT = text("""
SELECT r.owner, r.role, r.definition, r.reads, r.ended_at, r.expires_at, r.process, r.inputs,
  coalesce(r.expires_at < now() + make_interval(days => :days - 1), false) AS is_soon_forgotten,
  NOT EXISTS (SELECT FROM jsonb_each_text(r.reads) AS rested (layer, version)
              LEFT JOIN gis.layer l ON l.id = rested.layer AND l.published
              LEFT JOIN gis.raster_layer p ON p.id = rested.layer AND p.published
              WHERE coalesce(l.id, p.id) IS NULL
                 OR l.archives_from > CAST(rested.version AS bigint)) AS is_open
FROM gis.process_run r
WHERE r.id = :id AND r.definition IS NOT NULL AND (r.expires_at IS NULL OR r.expires_at > now())
""")


_RASTERS = text("""
SELECT id, definition #>> '{access,read}' AS read FROM gis.raster_layer
WHERE published AND id = ANY(:ids)
""")


def prolong(connection: Connection, run: UUID) -> None:
    """A result that is read lives on for a week; written once a day."""
    connection.execute(_PROLONG, {"id": run, "days": KEPT_DAYS})


_PROLONG = text("""
UPDATE gis.process_run SET expires_at = now() + make_interval(days => :days)
WHERE id = :id AND expires_at BETWEEN now() AND now() + make_interval(days => :days - 1)
""")


def keep(connection: Connection, run: UUID, *, kept: bool) -> None:
    """Keep a result until it is dismissed, or for a week from now on."""
    connection.execute(_KEEP, {"id": run, "kept": kept, "days": KEPT_DAYS})


_KEEP = text("""
UPDATE gis.process_run
SET expires_at = CASE WHEN :kept THEN NULL ELSE now() + make_interval(days => :days) END
WHERE id = :id
""")


def dismiss(connection: Connection, run: ProcessRun) -> None:
    """Cancel one that waits or runs; remove one that has ended, with its result."""
    if run.status in ("accepted", "running"):
        job = connection.scalar(_JOB, {"id": run.id})
        cancel(connection, job)
    else:
        connection.execute(_DELETE, {"id": run.id})


_JOB = text("SELECT job FROM gis.process_run WHERE id = :id")
_DELETE = text("DELETE FROM gis.process_run WHERE id = :id")


def add_to_log(connection: Connection, run: UUID, line: str) -> None:
    connection.execute(_LOG, {"id": run, "line": line[:500]})


_LOG = text("""
UPDATE gis.process_run SET log = (array_append(log, CAST(:line AS text)))[1:200] WHERE id = :id
""")


def forget_expired(connection: Connection) -> int:
    """Delete executions that have expired, with their results; gives how many."""
    return connection.execute(_FORGET).rowcount


_FORGET = text("""
DELETE FROM gis.process_run r WHERE expires_at < now()
AND NOT EXISTS (SELECT FROM gis.job j WHERE j.id = r.job AND j.state IN ('queued', 'running'))
""")
