"""Records that programs send to a layer: read, asked about and placed as a file is."""

import email
import email.policy
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request

from api.advice import advising_parameters, as_parameters
from api.dependencies import Caller, DeclaredParameters, UsedCatalogue, Writer, writable_layer
from gis.errors import BadInput
from gis.intake.layout import parse_layout
from layers.ingest.load import FailedRecord, LoadOptions, LoadReport
from layers.ingest.mode import LoadMode
from layers.ingest.push import SUFFIXES, PushedFile, load_pushed, once
from layers.ingest.records import FileOptions

router = APIRouter(prefix="/ingest", tags=["ingest"], dependencies=[DeclaredParameters])

_MAX_FAILED = 10_000
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


File = Annotated[PushedFile, Depends(_pushed_file)]
IdempotencyKey = Annotated[
    str | None, Header(description="Sent again with the same body, it loads nothing again")
]
Source = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="The system; unset: the layer's, or the key's"),
]


@router.post("/{layer_id}")
def ingest(
    layer_id: str,
    connection: Writer,
    catalogue: UsedCatalogue,
    caller: Caller,
    file: File,
    request: Request,
    idempotency_key: IdempotencyKey = None,
    source: Source = None,
    mode: Annotated[LoadMode, Query(description="As of `gis layers load`")] = LoadMode.UPSERT,
    yes: Annotated[bool, Query(description="Do not ask about what is overwritten")] = False,
    dry_run: Annotated[bool, Query(description="Store nothing")] = False,
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
) -> dict[str, Any]:
    """Load records, all or none; those that fail wait in quarantine and are listed by their line.

    The body is CSV, GeoJSON, lines of JSON, or a form with one file. A question about it answers
    400 with the parameter that answers it.
    """
    layer = writable_layer(catalogue, layer_id, caller)

    def load() -> dict[str, Any]:
        layout = parse_layout(header_row, footer_rows)
        options = LoadOptions(
            who=caller.name,
            source=source or getattr(layer.source, "name", None) or caller.name,
            answers=FileOptions(assume_crs, encoding, table, date_format, number_format, layout),
            mode=mode,
            confirmed=yes,
            dry_run=dry_run,
            most_failed=_MAX_FAILED,
        )
        return _answer(load_pushed(connection, layer, file, options))

    said = f"{request.url.query}\n{file.name}\n".encode() + file.content
    with advising_parameters():
        answer = once(connection, layer_id, caller.name, idempotency_key, said, load)
    if dry_run:
        connection.rollback()
    return answer


def _answer(report: LoadReport) -> dict[str, Any]:
    return {
        "load": report.load_id,
        "layer": report.layer_id,
        "source": report.source,
        "read": report.read,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "outside": report.outside,
        "quarantined": report.quarantined,
        "notes": list(map(as_parameters, report.notes)),
        "failed": [_failed_record(record) for record in report.failed],
    }


def _failed_record(record: FailedRecord) -> dict[str, Any]:
    return {
        "line": record.line,
        "key": record.key,
        "reason": record.reason,
        "why": record.why,
    }
