"""Quarantine over HTTP: what waits in the layers that the key may write, corrected and replayed."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field
from shapely.geometry import mapping
from sqlalchemy import Connection

from api.advice import as_parameters
from api.bodies import Body
from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue, Writer
from api.records import column_values, correction_record, json_ready, quarantined_record
from gis.access import Principal, Role, require
from gis.errors import BadInput, NotFound
from layers.definition.catalogue import Catalogue
from layers.definition.model import FileSource, Layer
from layers.ingest import corrections, quarantine
from layers.ingest.quarantine import QuarantinedRecord
from layers.ingest.record_files import shape_of
from layers.ingest.records import GEOMETRY, FileOptions, PlaceBy
from layers.ingest.retry import replay
from layers.ingest.undeclared import in_clear, masked

router = APIRouter(prefix="/quarantine", tags=["quarantine"], dependencies=[DeclaredParameters])

Status = Annotated[
    Literal["waiting", "replayed", "dropped"],
    Query(description="Only records that wait, have left, or were given up"),
]
State = Annotated[
    quarantine.State | None,
    Query(
        description="Only records in this state; stale: the layer serves the row of an earlier "
        "version. It decides alone where it is given"
    ),
]
LoadNumber = Annotated[
    int | None, Query(ge=1, lt=2**63, description="Only records that last came with this load")
]
Where = Annotated[
    list[str] | None,
    Query(description="Only records with column=value, as the source wrote it; can be repeated"),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most records to list")]
Rules = Annotated[bool, Query(description="Only rules that later loads go by")]
After = Annotated[int, Query(ge=0, description="Only records with a greater number")]


LayerId = Annotated[str | None, Query(description="Only records of this layer")]
Source = Annotated[str | None, Query(description="Only records of this source")]
Reason = Annotated[
    str | None, Query(description="Only records with this first reason, such as outside")
]


_MOST_CHARACTERS = 200  # of an outline, among the clues


class GeoJsonResponse(JSONResponse):
    """A document of RFC 7946."""

    media_type = "application/geo+json"


class Correction(Body):
    """New values of columns, as text, by the names that the source uses."""

    changes: dict[str, str] = Field({}, description="Columns and their values")
    place_by: PlaceBy | None = Field(
        None, description="Decides a contradiction: place by its coordinates or by its words"
    )

    @property
    def all_changes(self) -> dict[str, str]:
        """The changes, with the decision. Raises BadInput where there is neither."""
        decided = corrections.decision(self.place_by) if self.place_by else {}
        if not self.changes and not decided:
            raise BadInput("give `changes`, or `place_by`")
        return self.changes | decided


class SharedCorrection(Correction):
    """A correction of all records of a layer that share values."""

    matched: dict[str, str] = Field(min_length=1, description="Columns and the values shared")
    source: str | None = Field(None, description="Only records of this source")
    once: bool = Field(False, description="Make no rule for later loads")


class Replay(Body):
    """Records to try again, and answers to questions about their files."""

    source: str | None = Field(None, description="Only records of this source")
    assume_crs: str | None = Field(None, description="CRS of the coordinates, such as EPSG:9208")
    date_format: str | None = Field(None, description="How dates are written, such as %d/%m/%Y")
    number_format: Literal["decimal_comma", "decimal_point"] | None = Field(
        None, description="How numbers are written"
    )

    @property
    def answers(self) -> FileOptions:
        return FileOptions(
            crs=self.assume_crs, date_format=self.date_format, number_format=self.number_format
        )


@router.get("")
def records(
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    status: Status = "waiting",
    state: State = None,
    layer: LayerId = None,
    source: Source = None,
    reason: Reason = None,
    load: LoadNumber = None,
    where: Where = None,
    limit: Limit = 100,
    after: After = 0,
) -> dict[str, Any]:
    """Records with the reason in words, in the order in which they came."""
    layers = [each for each in _writable(catalogue, caller) if layer in (None, each)]
    waiting = quarantine.list_waiting(
        connection,
        layers=layers,
        status=status,
        state=state,
        source=source,
        reason=reason,
        load=load,
        values=column_values(where),
        limit=limit,
        after=after,
    )
    return {"records": [json_ready(quarantined_record(masked(each))) for each in waiting]}


@router.get("/features", response_class=GeoJsonResponse)
def features(
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    state: State = None,
    layer: LayerId = None,
    limit: Limit = 1000,
    after: After = 0,
) -> GeoJsonResponse:
    """Records on a map, as GeoJSON: each where its coordinates put it, with its state and why.

    A contradicting record lies where its words say that it does not; one without coordinates has no
    geometry. `clues` are what its coordinates, address, commune and district say. QGIS opens the
    address with the key as the password of Basic authentication.
    """
    layers = [each for each in _writable(catalogue, caller) if layer in (None, each)]
    waiting = quarantine.list_waiting(
        connection, layers=layers, state=state, limit=limit, after=after
    )
    return GeoJsonResponse({"type": "FeatureCollection", "features": [
        _feature(catalogue.get(each.layer_id), masked(each)) for each in waiting
    ]})  # fmt: skip


@router.get("/corrections")
def list_corrections(
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    layer: LayerId = None,
    rules: Rules = False,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Corrections, newest first: who changed what in how many records."""
    layers = [each for each in _writable(catalogue, caller) if layer in (None, each)]
    found = corrections.list_corrections(connection, layers, rules_only=rules, limit=limit)
    return {"corrections": [json_ready(correction_record(each)) for each in found]}


@router.post("/{layer_id}/corrections")
def correct_all(
    layer_id: str,
    body: SharedCorrection,
    connection: Writer,
    catalogue: UsedCatalogue,
    caller: Caller,
) -> dict[str, Any]:
    """Correct all records of a layer that share values, and later loads of their sources alike.

    POST /quarantine/replay/{layer} tries them again.
    """
    made = corrections.fix_all(
        connection,
        _writable_layer(catalogue, caller, layer_id),
        body.matched,
        body.all_changes,
        caller.name,
        source=body.source,
        once=body.once,
    )
    found = [corrections.get_correction(connection, each) for each in made]
    return {"corrections": [json_ready(correction_record(each)) for each in found]}


@router.delete("/corrections/{correction_id:int}")
def undo(
    correction_id: int, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Undo a correction: its records wait as before, and its rule ends."""
    layers = _writable(catalogue, caller)
    correction = corrections.get_correction(connection, correction_id)
    if correction.layer_id not in layers:
        raise NotFound(corrections.no_correction(correction_id))
    layer = catalogue.get(correction.layer_id)
    undone = corrections.undo(connection, layer, correction_id, caller)
    return {"waiting": undone.waiting, "changed": undone.changed}


@router.get("/{record_id:int}")
def record(
    record_id: int, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """One record, as the source said it.

    Cells of columns that the layer file does not declare are masked, but for the key that sent them
    and administrators; the audit log says who saw them.
    """
    waiting = _visible(connection, record_id, catalogue, caller)
    return json_ready(quarantined_record(in_clear(connection, waiting, caller)))


@router.patch("/{record_id:int}")
def correct(
    record_id: int, body: Correction, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Correct columns of a record; POST /quarantine/replay/{layer} tries it again."""
    waiting = _visible(connection, record_id, catalogue, caller)
    corrections.check_columns(catalogue.get(waiting.layer_id), body.all_changes)
    corrected = corrections.fix(connection, record_id, body.all_changes, caller.name)
    return json_ready(quarantined_record(masked(corrected)))


@router.delete("/{record_id:int}")
def drop(
    record_id: int, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Give a record up; a copy stays, in the state `dropped`."""
    _visible(connection, record_id, catalogue, caller)
    quarantine.drop(connection, record_id, caller.name)
    dropped = quarantine.get_waiting(connection, record_id)
    return json_ready(quarantined_record(masked(dropped)))


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
    layer = _writable_layer(catalogue, caller, layer_id)
    given = body or Replay()
    outcomes = replay(
        connection, layer, actor=caller.name, source=given.source, answers=given.answers
    )
    reports = [outcome.report for outcome in outcomes if outcome.report]
    return {
        "replayed": sum(report.added + report.updated + report.unchanged for report in reports),
        "outside": sum(report.outside for report in reports),
        "waiting": sum(outcome.still_waiting for outcome in outcomes),
        "questions": {
            outcome.source: as_parameters(outcome.question)
            for outcome in outcomes
            if outcome.question
        },
    }


def _feature(layer: Layer, record: QuarantinedRecord) -> dict[str, Any]:
    shape = shape_of(layer, record)
    return {
        "type": "Feature",
        "id": record.id,
        "geometry": None if shape is None else mapping(shape),
        "properties": json_ready({**quarantined_record(record), "clues": _clues(layer, record)}),
    }


def _clues(layer: Layer, record: QuarantinedRecord) -> dict[str, str]:
    """What the columns of a record say of its place, as its source wrote it."""
    source = layer.source
    assert isinstance(source, FileSource)
    point = source.coordinates
    columns = {
        "coordinates": () if point is None else tuple(dict.fromkeys((point.x, point.y))),
        "address": (source.address,),
        "commune": (source.commune,),
        "district": (source.district,),
    }
    said = {
        clue: ", ".join(filter(None, (record.raw.get(name or "") for name in names)))
        for clue, names in columns.items()
    }
    if not said["coordinates"]:
        said["coordinates"] = record.raw.get(GEOMETRY, "")[:_MOST_CHARACTERS]
    return {clue: words for clue, words in said.items() if words}


def _writable(catalogue: Catalogue, caller: Principal) -> list[str]:
    require(caller, caller.role is not Role.ANONYMOUS, "quarantine needs a key")
    return [layer.id for layer in catalogue.writable(caller)]


def _writable_layer(catalogue: Catalogue, caller: Principal, layer_id: str) -> Layer:
    if layer_id not in _writable(catalogue, caller):
        raise NotFound(f"there is no layer {layer_id} that this key may write")
    return catalogue.get(layer_id)


def _visible(
    connection: Connection, record_id: int, catalogue: Catalogue, caller: Principal
) -> QuarantinedRecord:
    layers = _writable(catalogue, caller)
    record = quarantine.get_waiting(connection, record_id)
    if record.layer_id not in layers:
        raise NotFound(f"there is no record {record_id} in quarantine")
    return record
