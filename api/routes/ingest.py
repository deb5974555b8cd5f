"""Records that programs send to a layer: read, asked about and placed as a file is."""

import email
import email.policy
import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from api.advice import advising_parameters, as_parameters
from api.dependencies import (
    Caller,
    DeclaredParameters,
    Reader,
    UsedCatalogue,
    UsedSettings,
    Writer,
    writable_layer,
)
from api.links import public_url
from gis.access import Role
from gis.errors import BadInput
from gis.intake.layout import parse_layout
from gis.settings import Settings
from layers.ingest.load import LoadOptions
from layers.ingest.mode import LoadMode
from layers.ingest.push import (
    SUFFIXES,
    EarlierPush,
    Push,
    PushedFile,
    answer_of,
    keep_answer,
    load_pushed,
    take,
)
from layers.ingest.records import FileOptions
from layers.jobs.pushes import PushState, find_push, no_push, queue_push

router = APIRouter(prefix="/ingest", tags=["ingest"], dependencies=[DeclaredParameters])

_ASYNC = "respond-async"  # RFC 7240
_MEGABYTE = 1_000_000
_MAX_FAILED = 100_000
_MAX_NAME = 200


async def _pushed_file(request: Request) -> PushedFile:
    """The body, or the one file of a form; raises BadInput for another media type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _file_of_form(request.headers["content-type"], await request.body())
    if kind not in SUFFIXES:
        raise BadInput(
            f"records of the Content-Type {kind or 'none'} are not read: send one of "
            f"{', '.join(SUFFIXES)}, or a form with one file (multipart/form-data)"
        )
    return PushedFile(f"body{SUFFIXES[kind]}", await request.body())


def _file_of_form(content_type: str, body: bytes) -> PushedFile:
    """The only file of a form (RFC 7578), by the last part of its name; raises BadInput."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    files = [part for part in form.iter_parts() if part.get_filename()]
    name = PurePosixPath(str(files[0].get_filename()).replace("\\", "/")).name if files else ""
    content = files[0].get_payload(decode=True) if files else None
    if len(files) != 1 or not isinstance(content, bytes):
        raise BadInput("a form has one file, with its name: send it as multipart/form-data")
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME:
        raise BadInput(f"the name of the file has 1 to {_MAX_NAME} printable characters")
    return PushedFile(name, content)


def _answers(
    assume_crs: Annotated[str | None, Query(description="CRS of the coordinates")] = None,
    date_format: Annotated[str | None, Query(description="Such as %d/%m/%Y")] = None,
    number_format: Annotated[
        str | None, Query(description="decimal_comma or decimal_point")
    ] = None,
    encoding: Annotated[str | None, Query(description="Such as tcvn3 or vni")] = None,
    table: Annotated[str | None, Query(description="One of several tables")] = None,
    header_row: Annotated[
        str | None, Query(description="The row that names the columns, such as 4 or 4-5")
    ] = None,
    footer_rows: Annotated[
        int | None, Query(ge=0, description="Rows at the end that are no records")
    ] = None,
    delimiter: Annotated[
        str | None, Query(description="The sign between fields of delimited text, or tab")
    ] = None,
) -> FileOptions:
    """Answers to questions about the body, as the options of `gis layers load` are."""
    with advising_parameters():
        layout = parse_layout(header_row, footer_rows, delimiter)
    return FileOptions(assume_crs, encoding, table, date_format, number_format, layout)


File = Annotated[PushedFile, Depends(_pushed_file)]
Answers = Annotated[FileOptions, Depends(_answers)]
IdempotencyKey = Annotated[
    str | None, Header(description="Sent again with the same body, it loads nothing again")
]
Source = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="The system; unset: the layer's, or the key's"),
]


Prefer = Annotated[
    str | None, Header(description="respond-async: answer at once, and load the body by a job")
]
Limit = Annotated[int, Query(ge=0, le=10_000, description="Most failed records to list")]
After = Annotated[int, Query(ge=0, description="Only failed records after so many")]


@router.post("/{layer_id}", responses={202: {"description": "A job loads it; see Location"}})
def ingest(
    layer_id: str,
    connection: Writer,
    catalogue: UsedCatalogue,
    caller: Caller,
    settings: UsedSettings,
    file: File,
    request: Request,
    answers: Answers,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
    source: Source = None,
    mode: Annotated[LoadMode, Query(description="As of `gis layers load`")] = LoadMode.UPSERT,
    yes: Annotated[bool, Query(description="Do not ask about what is overwritten")] = False,
    dry_run: Annotated[bool, Query(description="Store nothing")] = False,
) -> JSONResponse:
    """Load records, all or none; those that fail wait in quarantine and are listed by their line.

    The body is CSV, GeoJSON, lines of JSON, or a form with one file. A question about it answers
    400 with the parameter that answers it. A large body, or one with `Prefer: respond-async`, is
    kept and answered with 202; GET Location says how far it is, and then answers as else POST does.
    """
    layer = writable_layer(catalogue, layer_id, caller)
    said = f"{request.url.query}\n{file.name}\n".encode() + file.content
    push = Push(layer_id, caller.name, idempotency_key, said)
    in_background = len(file.content) > settings.ingest_at_once_mb * _MEGABYTE or _ASYNC in (
        word.strip().lower() for word in re.split("[,;]", prefer or "")
    )
    options = LoadOptions(
        who=caller.name,
        source=source or getattr(layer.source, "name", None) or caller.name,
        answers=answers,
        mode=mode,
        confirmed=yes,
        dry_run=dry_run,
        most_failed=_MAX_FAILED,
    )
    with advising_parameters():
        number = take(connection, push) if in_background or push.key else None
        if isinstance(number, EarlierPush):
            if number.answer is None:
                return _accepted(connection, request, settings, layer_id, number.id)
            return JSONResponse(_shown(number.answer))
        if in_background and number is not None:
            queue_push(connection, number, file, options)
            return _accepted(connection, request, settings, layer_id, number)
        answer = answer_of(load_pushed(connection, layer, file, options))
    if number is not None:
        keep_answer(connection, number, answer)
    if dry_run:
        connection.rollback()
    return JSONResponse(_shown(answer))


@router.get("/{layer_id}/{push_id:int}")
def pushed(
    layer_id: str,
    push_id: int,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    settings: UsedSettings,
    request: Request,
    limit: Limit = 100,
    after: After = 0,
) -> JSONResponse:
    """How far a body is that a job loads: queued, running, succeeded, failed or cancelled.

    With its answer when it is loaded, and its failed records by pages. Only its sender sees it,
    and operators who may write the layer.
    """
    writable_layer(catalogue, layer_id, caller)
    state = find_push(connection, layer_id, push_id, after=after, limit=limit)
    if state.who != caller.name and caller.role not in (Role.OPERATOR, Role.ADMIN):
        raise no_push(push_id)
    return JSONResponse(_state(request, settings, state, after, limit))


def _accepted(
    connection: Connection, request: Request, settings: Settings, layer_id: str, number: int
) -> JSONResponse:
    state = find_push(connection, layer_id, number)
    headers = {"Location": _address(request, settings, state), "Preference-Applied": _ASYNC}
    return JSONResponse(_state(request, settings, state, 0, 0), 202, headers=headers)


def _state(
    request: Request, settings: Settings, state: PushState, after: int, limit: int
) -> dict[str, Any]:
    here = _address(request, settings, state)
    beyond = after + limit
    links = [{"rel": "self", "href": here}]
    if limit > 0 and beyond < state.failed:
        links.append({"rel": "next", "href": f"{here}?limit={limit}&after={beyond}"})
    return {
        "id": state.id,
        "layer": state.layer_id,
        "state": state.state,
        "received_at": state.received_at.isoformat(),
        "progress": state.progress,
        "why": as_parameters(state.why),
        "answer": state.answer and _shown(state.answer),
        "failed": state.failed,
        "links": links,
    }


def _address(request: Request, settings: Settings, state: PushState) -> str:
    return f"{public_url(request, settings)}/ingest/{state.layer_id}/{state.id}"


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"notes": list(map(as_parameters, answer["notes"]))}
