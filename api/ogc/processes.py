"""OGC API Processes, Part 1 (OGC 18-062r2): what can be asked, and the jobs that answer.

A process whose work is PostgreSQL's is executed in a thread of the serving process while its
request waits: there is nothing to confine. All others, and all that ask for it with `Prefer:
respond-async`, are jobs of the durable queue, with limits of memory and time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.concurrency import ConcurrencyLimit, client_of
from api.dependencies import Caller, Reader, UsedDatabase, Writer, layers_in_force
from api.errors import problem
from api.ogc import processes_documents as documents
from api.ogc.items import feature_collection
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.parameters import limit_of
from api.ogc.responses import with_parameters
from api.results import result_of
from gis.access import Principal
from gis.database.engine import Database
from gis.errors import BadInput, NoSuchJob, ResultNotReady
from gis.settings import Settings
from gis.text import composed
from layers.items import PageRequest, read_page
from layers.processes.execution import as_inputs, execute_now, process_of, read_parameters
from layers.processes.process import Parameters, Process
from layers.processes.runs import ProcessRun, dismiss, find_run, keep, list_runs, queue_run
from tiles.mvt import known_source_of

router = APIRouter(prefix="/ogc", include_in_schema=False)

_WAITS_S = 60.0  # a request for a job; then it is answered as if it had not waited
_LOOK_S = 0.1
_STATUSES = ("accepted", "running", "successful", "failed", "dismissed")
_RESPONSES = ("raw", "document")


@dataclass(frozen=True)
class ExecuteRequest:
    """A request to execute: its inputs, and how the answer is wanted."""

    inputs: Mapping[str, Any]
    response: str
    outputs: Mapping[str, Any]

    @property
    def answer(self) -> dict[str, Any]:
        return {"response": self.response, "outputs": dict(self.outputs)}


@router.get("/processes")
def processes(request: Request) -> Response:
    only_known(request, ("limit", "offset"))
    if request.query_params.get("f") == "html":
        return _page(request, "")
    negotiation = negotiate(request, ("json",))
    limit = limit_of(request.query_params.get("limit"), 1000)
    offset = _offset(request.query_params.get("offset"))
    return _json(documents.process_list(negotiation, limit, offset), negotiation)


@router.get("/processes/{process_id}")
def process(process_id: str, request: Request) -> Response:
    only_known(request)
    described = process_of(process_id)
    if request.query_params.get("f") == "html":
        return _page(request, described.name)
    negotiation = negotiate(request, ("json",))
    return _json(documents.description(described, negotiation), negotiation)


@router.post("/processes/{process_id}/execution")
async def execution(process_id: str, request: Request) -> Response:
    """Execute: the result, or 201 with the address of the job that makes it."""
    only_known(request)
    wanted = process_of(process_id)
    asked = _execute_request(await request.body(), wanted)
    parameters = read_parameters(wanted, asked.inputs)
    caller: Principal = request.state.principal
    preference = {word.strip().lower() for word in request.headers.get("prefer", "").split(",")}
    if "respond-async" not in preference and wanted.is_light:
        places: ConcurrencyLimit = request.app.state.ogc.executions
        with places.place(client_of(request)):
            run_id = await run_sync(_execute, request, wanted, parameters, caller)
        return await run_sync(_answer, request, run_id, caller, asked)
    run_id = await run_sync(_queue, request, wanted, parameters, caller, asked)
    if "respond-async" in preference:
        return await run_sync(_accepted, request, run_id, caller, "respond-async")
    if await _ended(request, run_id, caller):
        return await run_sync(_answer, request, run_id, caller, asked)
    return await run_sync(_accepted, request, run_id, caller, "")


def _page(request: Request, name: str) -> Response:
    """People ask by a form: the page of planners is the HTML of these documents."""
    fragment = f"#{name}" if name else ""
    return RedirectResponse(f"{negotiate(request).root}/ask{fragment}", 303)


def _execute(
    request: Request, wanted: Process[Any], parameters: Parameters, caller: Principal
) -> UUID:
    settings: Settings = request.app.state.settings
    catalogue = layers_in_force(request.app).catalogue
    database: Database = request.app.state.database
    return execute_now(
        database, catalogue, wanted, parameters, caller, settings.reader_timeout_ms,
        rasters=settings.rasters,
    )  # fmt: skip


def _queue(
    request: Request,
    wanted: Process[Any],
    parameters: Parameters,
    caller: Principal,
    asked: ExecuteRequest,
) -> UUID:
    database: Database = request.app.state.database
    with database.writing() as connection:
        return queue_run(connection, wanted.name, as_inputs(parameters), caller, asked.answer)


async def _ended(request: Request, run_id: UUID, caller: Principal) -> bool:
    """True once a job has ended; False after the longest time that a request waits for it."""
    for _ in range(int(_WAITS_S / _LOOK_S)):
        run = await run_sync(_found, request, run_id, caller)
        if run.status not in ("accepted", "running"):
            return True
        await asyncio.sleep(_LOOK_S)
    return False


def _found(request: Request, run_id: UUID, caller: Principal) -> ProcessRun:
    database: Database = request.app.state.database
    with database.reading_singly() as connection:
        return find_run(connection, run_id, caller)


def _accepted(request: Request, run_id: UUID, caller: Principal, applied: str) -> Response:
    negotiation = negotiate(request)
    document = documents.status_document(_found(request, run_id, caller), negotiation)
    headers = {"Location": f"{negotiation.base}/jobs/{run_id}", "Cache-Control": "no-store"}
    if applied:
        headers["Preference-Applied"] = applied
    return Response(orjson.dumps(document), 201, headers, documents.JSON)


@router.get("/jobs")
def jobs(request: Request, connection: Reader, caller: Caller) -> Response:
    """The jobs of whoever asks, the newest first; an administrator sees all."""
    only_known(request, ("limit", "offset", "processID", "status"))
    negotiation, given = negotiate(request, ("json",)), request.query_params
    limit, offset = limit_of(given.get("limit", "100"), 1000), _offset(given.get("offset"))
    status = given.get("status")
    if status is not None and status not in _STATUSES:
        raise BadInput(f"status={status!r} is wrong: use one of {', '.join(_STATUSES)}")
    found = list_runs(
        connection, caller, limit=limit + 1, offset=offset, process=given.get("processID"),
        status=status,
    )  # fmt: skip
    links = [{"href": str(negotiation.url), "rel": "self", "type": documents.JSON}]
    for rel, start, is_there in (
        ("next", offset + limit, len(found) > limit),
        ("prev", max(offset - limit, 0), offset > 0),
    ):
        if is_there:
            href = with_parameters(negotiation, given, limit=str(limit), offset=str(start))
            links.append({"href": href, "rel": rel, "type": documents.JSON})
    shown = [documents.status_document(run, negotiation) for run in found[:limit]]
    return _json({"jobs": shown, "links": links}, negotiation, "no-store")


@router.get("/jobs/{job_id}")
def job(job_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    run = find_run(connection, _job(job_id), caller)
    return _json(documents.status_document(run, negotiation), negotiation, "no-store")


@router.get("/jobs/{job_id}/log")
def log(job_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    """What a job said of its progress, a line each."""
    only_known(request)
    run = find_run(connection, _job(job_id), caller)
    return _json({"log": list(run.log)}, negotiate(request, ("json",)), "no-store")


@router.get("/jobs/{job_id}/results")
def results(job_id: str, request: Request, database: UsedDatabase, caller: Caller) -> Response:
    only_known(request)
    run = _found(request, _job(job_id), caller)
    if run.status == "dismissed":
        raise NoSuchJob(f"the job {run.id} was dismissed: it has no result")
    if run.status in ("accepted", "running"):
        raise ResultNotReady(f"the job {run.id} is {run.status}: ask again when it is successful")
    asked = ExecuteRequest(
        run.inputs, run.answer.get("response", "document"), run.answer.get("outputs", {})
    )
    return _answer(request, run.id, caller, asked)


@router.patch("/jobs/{job_id}")
async def patch_job(job_id: str, request: Request) -> Response:
    """`{"keep": true}` keeps a result until it is dismissed; false, for a week from now."""
    only_known(request)
    body = _document(await request.body())
    if set(body) != {"keep"} or not isinstance(body["keep"], bool):
        raise BadInput('give {"keep": true} or {"keep": false}')
    return await run_sync(_keep, request, _job(job_id), body["keep"])


def _keep(request: Request, run_id: UUID, kept: bool) -> Response:
    caller: Principal = request.state.principal
    database: Database = request.app.state.database
    run = _found(request, run_id, caller)
    if kept and caller.role == "anonymous":
        raise BadInput("without a key a result is kept for a week after it was last read")
    with database.writing() as connection:
        keep(connection, run.id, kept=kept)
    negotiation = negotiate(request, ("json",))
    found = _found(request, run_id, caller)
    return _json(documents.status_document(found, negotiation), negotiation, "no-store")


@router.delete("/jobs/{job_id}")
def dismiss_job(job_id: str, request: Request, connection: Writer, caller: Caller) -> Response:
    """Dismiss a job that waits or runs; remove one that has ended, with its result."""
    only_known(request)
    negotiation = negotiate(request, ("json",))
    run = find_run(connection, _job(job_id), caller)
    dismiss(connection, run)
    document = documents.status_document(run, negotiation) | {"status": "dismissed"}
    document["links"] = [link for link in document["links"] if link["rel"] == "self"]
    return _json(document, negotiation, "no-store")


def _answer(request: Request, run_id: UUID, caller: Principal, asked: ExecuteRequest) -> Response:
    """The result of a job that has ended, raw or within a document, by value or by reference."""
    negotiation = negotiate(request, ("json",))
    run = _found(request, run_id, caller)
    if run.status != "successful":
        return problem(request, 400, run.message or f"the job {run_id} is {run.status}")
    if run.collection is None:
        return _values(run, asked, negotiation)
    wanted = asked.outputs.get("result") or {}
    href = f"{negotiation.base}/collections/{run.collection}/items?f=json"
    if wanted.get("transmissionMode") == "reference":
        if asked.response == "raw":
            return Response(status_code=204, headers={
                "Link": f'<{href}>; rel="result"; type="{documents.GEOJSON}"',
                "Cache-Control": "no-store",
            })  # fmt: skip
        link = {"href": href, "type": documents.GEOJSON, "rel": "result"}
        return _json({"result": link}, negotiation, "no-store")
    body = _features(request, run, caller, negotiation)
    if asked.response == "raw":
        headers = {"Cache-Control": "no-store"}
        return Response(body, headers=headers, media_type=documents.GEOJSON)
    whole = b'{"result":{"mediaType":"' + documents.GEOJSON.encode() + b'","value":' + body + b"}}"
    return Response(whole, headers={"Cache-Control": "no-store"}, media_type=documents.JSON)


def _features(
    request: Request, run: ProcessRun, caller: Principal, negotiation: Negotiation
) -> bytes:
    """The first page of the result's items, with what proves it and where the rest is."""
    assert run.collection is not None
    found = result_of(request.app, run.collection, caller)
    assert found is not None
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    source = known_source_of(found.layer)
    with database.reading_singly() as connection:
        most = PageRequest(limit=settings.reader_row_limit)
        page = read_page(connection, source, most, caller)
    here = f"{negotiation.base}/collections/{run.collection}"
    links = [
        {"rel": "collection", "href": here, "type": documents.JSON},
        {"rel": "items", "href": f"{here}/items", "type": documents.GEOJSON},
        {"rel": "monitor", "href": f"{negotiation.base}/jobs/{run.id}", "type": documents.JSON},
    ]
    if page.next is not None:
        following = f"{here}/items?f=json&limit={settings.reader_row_limit}&cursor={page.next}"
        links.append({"rel": "next", "href": following, "type": documents.GEOJSON})
    more = {
        "collection": run.collection,
        "summary": run.value,
        "request": documents.requests_of(found, negotiation.root),
    }
    return feature_collection(page, links, more)


def _values(run: ProcessRun, asked: ExecuteRequest, negotiation: Negotiation) -> Response:
    outputs = dict(run.value or {})
    if asked.outputs:
        unknown = [name for name in asked.outputs if name not in outputs]
        if unknown:
            raise BadInput(f"there is no output {unknown[0]!r}: there are {', '.join(outputs)}")
        outputs = {name: outputs[name] for name in asked.outputs}
    if asked.response == "document":
        shown = {name: {"value": value} if isinstance(value, dict) else value
                 for name, value in outputs.items()}  # fmt: skip
        return _json(shown, negotiation, "no-store")
    if len(outputs) == 1:
        (value,) = outputs.values()
        if isinstance(value, str):
            return Response(value, headers={"Cache-Control": "no-store"}, media_type="text/plain")
        return Response(orjson.dumps(value), media_type=documents.JSON,
                        headers={"Cache-Control": "no-store"})  # fmt: skip
    return _multipart(outputs)


def _multipart(outputs: Mapping[str, Any]) -> Response:
    """Several raw outputs (RFC 2387), each a part named by its Content-ID."""
    boundary = "part-of-the-results"
    parts = []
    for name, value in outputs.items():
        plain = isinstance(value, str)
        media = "text/plain; charset=utf-8" if plain else documents.JSON
        content = value.encode() if plain else orjson.dumps(value)
        head = f"--{boundary}\r\nContent-ID: <{name}>\r\nContent-Type: {media}\r\n\r\n"
        parts.append(head.encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    media = f'multipart/related; boundary="{boundary}"'
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": media})


def _execute_request(body: bytes, process: Process[Any]) -> ExecuteRequest:
    """Raises BadInput for a document that is no execute request."""
    document = _document(body)
    known = ("inputs", "outputs", "response", "subscriber")
    unknown = [name for name in document if name not in known]
    if unknown:
        raise BadInput(f"there is no member {unknown[0]!r} here: there are {', '.join(known)}")
    response = document.get("response", "raw")
    if response not in _RESPONSES:
        raise BadInput(f"response={response!r} is wrong: use raw or document")
    inputs, outputs = document.get("inputs", {}), document.get("outputs", {})
    if not isinstance(inputs, dict) or not isinstance(outputs, dict):
        raise BadInput("inputs and outputs are objects, with a member for each")
    there = ["result"] if process.outputs is None else list(process.outputs)
    for name, wanted in outputs.items():
        if name not in there:
            raise BadInput(f"there is no output {name!r}: there are {', '.join(there)}")
        if not isinstance(wanted, dict):
            raise BadInput(f"outputs.{name} is an object, such as {{}}")
    given = {name: _plain(name, value) for name, value in inputs.items()}
    return ExecuteRequest(given, response, outputs)


def _plain(name: str, value: Any) -> Any:
    """An input as its parameter takes it: values may be qualified, and boxes have a member."""
    if not isinstance(value, dict):
        return value
    if "href" in value and "value" not in value:
        raise BadInput(f"inputs.{name}: inputs are not fetched from elsewhere: give the value")
    if "value" in value and not set(value) - {"value", "mediaType", "encoding", "schema", "format"}:
        return _plain(name, value["value"])
    if "bbox" in value and not set(value) - {"bbox", "crs"}:
        return value["bbox"]
    return value


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = composed(orjson.loads(body or b"{}"))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadInput("the body is a JSON object with a member `inputs`")
    return document


def _job(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NoSuchJob(f"there is no job {text}, or this key may not see it") from None


def _offset(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadInput(f"offset={text!r} is wrong: give a whole number from 0 on")
    return int(text)


def _json(document: Any, negotiation: Negotiation, caching: str = "no-cache") -> Response:
    headers = {"Content-Language": negotiation.language, "Cache-Control": caching}
    return Response(orjson.dumps(document), headers=headers, media_type=documents.JSON)
