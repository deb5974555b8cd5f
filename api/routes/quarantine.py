"""Quarantine over HTTP: what waits in the layers that the key may write, corrected and replayed."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection

from api.bodies import Body
from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue, Writer
from api.records import json_ready, quarantined_record
from gis.access import Principal, Role, require
from gis.errors import NotFound
from layers.definition.catalogue import Catalogue
from layers.ingest import quarantine
from layers.ingest.quarantine import QuarantinedRecord
from layers.ingest.records import FileOptions
from layers.ingest.retry import replay

router = APIRouter(prefix="/quarantine", tags=["quarantine"], dependencies=[DeclaredParameters])

Status = Annotated[
    Literal["waiting", "replayed", "dropped"], Query(description="Only records in this state")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most records to list")]
After = Annotated[int, Query(ge=0, description="Only records with a greater number")]


LayerId = Annotated[str | None, Query(description="Only records of this layer")]
Source = Annotated[str | None, Query(description="Only records of this source")]
Reason = Annotated[
    str | None, Query(description="Only records with this first reason, such as outside")
]


class Correction(Body):
    """New values of columns, as text, by the names that the source uses."""

    changes: dict[str, str] = Field(min_length=1)


class Replay(Body):
    """Records to try again, and answers to questions about their files."""

    source: str | None = Field(None, description="Only records of this source")
    crs: str | None = Field(None, description="CRS of the coordinates, such as EPSG:9208")
    date_format: str | None = Field(None, description="How dates are written, such as %d/%m/%Y")
    number_format: Literal["decimal_comma", "decimal_point"] | None = Field(
        None, description="How numbers are written"
    )

    @property
    def answers(self) -> FileOptions:
        return FileOptions(
            crs=self.crs, date_format=self.date_format, number_format=self.number_format
        )


@router.get("")
def records(
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    status: Status = "waiting",
    layer: LayerId = None,
    source: Source = None,
    reason: Reason = None,
    limit: Limit = 100,
    after: After = 0,
) -> dict[str, Any]:
    """Records with the reason in words, in the order in which they came."""
    layers = [each for each in _writable(catalogue, caller) if layer in (None, each)]
    waiting = quarantine.list_waiting(
        connection,
        layers=layers,
        status=status,
        source=source,
        reason=reason,
        limit=limit,
        after=after,
    )
    return {"records": [json_ready(quarantined_record(each)) for each in waiting]}


@router.get("/{record_id}")
def record(
    record_id: int, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """One record, as the source said it."""
    return json_ready(quarantined_record(_visible(connection, record_id, catalogue, caller)))


@router.patch("/{record_id}")
def correct(
    record_id: int, body: Correction, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Correct columns of a record; POST /quarantine/replay/{layer} tries it again."""
    _visible(connection, record_id, catalogue, caller)
    corrected = quarantine.fix(connection, record_id, body.changes, caller.name)
    return json_ready(quarantined_record(corrected))


@router.delete("/{record_id}")
def drop(
    record_id: int, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Give a record up; a copy stays, in the state `dropped`."""
    _visible(connection, record_id, catalogue, caller)
    quarantine.drop(connection, record_id, caller.name)
    return json_ready(quarantined_record(quarantine.get_waiting(connection, record_id)))


@router.post("/replay/{layer_id}")
def replay_layer(
    layer_id: str,
    connection: Writer,
    catalogue: UsedCatalogue,
    caller: Caller,
    body: Replay | None = None,
) -> dict[str, Any]:
    """Try what waits for a layer again; what fails again goes on waiting.

    Records are read as their file was, with the answers given then; those of the body go before.
    `questions` holds, by source, what must be answered first.
    """
    if layer_id not in _writable(catalogue, caller):
        raise NotFound(f"there is no layer {layer_id} that this key may write")
    given = body or Replay()
    layer = catalogue.get(layer_id)
    outcomes = replay(
        connection, layer, actor=caller.name, source=given.source, answers=given.answers
    )
    reports = [outcome.report for outcome in outcomes if outcome.report]
    return {
        "replayed": sum(report.added + report.updated + report.unchanged for report in reports),
        "outside": sum(report.outside for report in reports),
        "waiting": sum(outcome.still_waiting for outcome in outcomes),
        "questions": {outcome.source: outcome.question for outcome in outcomes if outcome.question},
    }


def _writable(catalogue: Catalogue, caller: Principal) -> list[str]:
    require(caller, caller.role is not Role.ANONYMOUS, "quarantine needs a key")
    return [layer.id for layer in catalogue.writable(caller)]


def _visible(
    connection: Connection, record_id: int, catalogue: Catalogue, caller: Principal
) -> QuarantinedRecord:
    layers = _writable(catalogue, caller)
    record = quarantine.get_waiting(connection, record_id)
    if record.layer_id not in layers:
        raise NotFound(f"there is no record {record_id} in quarantine")
    return record
