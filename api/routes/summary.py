"""Summaries of a layer: by unit of today or of before the reform, hex, time or field."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import Caller, UsedCatalogue, UsedDatabase, UsedSettings, UsedTiles
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.pages import page
from api.ogc.parameters import query_of
from api.ogc.responses import PAGE_POLICY
from api.ogc.service import scope_of
from gis.access import Principal, may_read
from gis.database.engine import Database
from gis.errors import BadInput
from gis.hexes import cell_text
from gis.settings import Settings
from layers.definition.model import Layer
from layers.items import source_of
from layers.summary.files import CSV_MEDIA, XLSX_MEDIA, csv_of, workbook_of
from layers.summary.parameters import SummaryParameters
from layers.summary.statement import Summary, summarise
from tiles.hexes import HexRequest, hex_query, may_read_hexes
from tiles.serving import TileServer
from tiles.state import read_states

router = APIRouter(tags=["summary"])

FORMATS = ("json", "html", "csv", "xlsx")
NAMES = tuple(field.alias or name for name, field in SummaryParameters.model_fields.items())
_OF_HIDDEN = ("by", "resolution", "datetime", "limit", "sortby", "statistics", "category")


@router.get("/summary/{layer_id}")
def summary(
    layer_id: str,
    request: Request,
    parameters: Annotated[SummaryParameters, Query()],
    database: UsedDatabase,
    server: UsedTiles,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> Response:
    """Numbers of a layer's records by one or two groupings: `count`, `sum`, `mean`, `median`,
    `min`, `max` of a measure, and rates `per_1000` inhabitants and `per_km2`.

    `filter`, `datetime`, `bbox` and the fields of the layer mean what they do on items. `counted:
    records`: each record counts once, and the groups add up to `total`. `counted: parts`: a line
    or area counts in each unit or hex that holds a part of it. `estimated`: some records or
    inhabitants were shared among several old units. Who may see a layer's hexes but not its
    records has those hexes alone, where none with fewer than k records is shown.
    """
    negotiation = negotiate(request, FORMATS)
    hidden = [
        each
        for each in catalogue.layers
        if each.id == layer_id
        and not may_read(caller, each.access.read, each.id)
        and may_read_hexes(caller, each)
    ]
    if hidden:
        answer = _of_hexes(request, hidden[0], parameters, database, server, caller, settings)
        return _response(request, negotiation, hidden[0], parameters, answer)
    layer = catalogue.get_readable(layer_id, caller)
    source = source_of(layer)
    only_known(request, (*NAMES, *source.by_name))
    scope = scope_of(request, source, caller)
    query = query_of(dict(request.query_params), source, taken=NAMES, scope=scope)
    with database.reading() as connection:
        answer = summarise(
            connection,
            source,
            query,
            parameters,
            scope=scope,
            language=negotiation.language,
            most=settings.reader_row_limit,
        )
    return _response(request, negotiation, layer, parameters, answer)


def _of_hexes(
    request: Request,
    layer: Layer,
    parameters: SummaryParameters,
    database: Database,
    server: TileServer,
    caller: Principal,
    settings: Settings,
) -> Summary:
    """Hexes of a layer whose records the caller may not read: what its hex tiles show, no more."""
    only_known(request, _OF_HIDDEN)
    if parameters.groupings != ("hex",) or set(parameters.columns) - {"count", "per_km2"}:
        raise BadInput(
            f"the records of {layer.id} are not open to you, only its hexes: ask by=hex with "
            f"count and per_km2, and {', '.join(_OF_HIDDEN)}"
        )
    question = hex_query(layer, request.query_params.get("category"), parameters.datetime)
    asked = HexRequest.by(caller, layer, question, settings.k_anonymity)
    with database.snapshot() as connection:
        state = read_states(connection, [layer.id])[layer.id]
        table = server.hex_answers.table(connection, state, asked, parameters.resolution)
    rows: list[dict[str, Any]] = [
        {"hex": cell_text(int(cell)), **measures}
        for cell, measures in zip(table.cells, table.measures(), strict=True)
    ]
    columns = ("hex", *parameters.columns)
    rows = _sorted(rows, columns, parameters.sortby)
    kept = rows[: parameters.limit or settings.reader_row_limit]
    return Summary(
        columns=columns,
        rows=[{name: row[name] for name in columns} for row in kept],
        total=int(table.records.sum()),
        matched=len(rows),
        counted="parts" if table.size_measure else "records",
    )


def _sorted(
    rows: list[dict[str, Any]], columns: tuple[str, ...], sortby: str | None
) -> list[dict[str, Any]]:
    ordered = sorted(rows, key=lambda row: row["hex"])
    for word in reversed([part.strip() for part in (sortby or "").split(",") if part.strip()]):
        name = word.lstrip("+-")
        if name not in columns:
            raise BadInput(
                f"there is no column {name!r} to sort by: there are {', '.join(columns)}"
            )
        ordered = sorted(ordered, key=lambda row: row[name], reverse=word.startswith("-"))
    return ordered


def _response(
    request: Request,
    negotiation: Negotiation,
    layer: Layer,
    parameters: SummaryParameters,
    answer: Summary,
) -> Response:
    headers = {"Content-Language": negotiation.language, "Cache-Control": "no-cache"}
    if negotiation.format in ("csv", "xlsx"):
        if negotiation.format == "csv" and parameters.totals:
            raise BadInput("a CSV file holds one table: leave out totals, or ask for f=xlsx")
        name = f"{layer.id}-summary.{negotiation.format}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        if negotiation.format == "csv":
            return Response(csv_of(answer), headers=headers, media_type=CSV_MEDIA)
        return Response(workbook_of(answer, layer.id), headers=headers, media_type=XLSX_MEDIA)
    document = document_of(layer, parameters, answer)
    if negotiation.format == "html":
        described = {**document, "title": layer.title, "columns": answer.columns}
        body = page("summary.html", described, negotiation, request.query_params)
        headers["Content-Security-Policy"] = PAGE_POLICY
        return Response(body, headers=headers, media_type="text/html")
    return Response(orjson.dumps(document), headers=headers, media_type="application/json")


def document_of(layer: Layer, parameters: SummaryParameters, answer: Summary) -> dict[str, Any]:
    """The answer as JSON has it."""
    more: dict[str, Any] = {}
    if answer.population is not None:
        more["population"] = asdict(answer.population)
    if answer.totals:
        more["totals"] = answer.totals
    return {
        "layer": layer.id,
        "by": list(parameters.groupings),
        "counted": answer.counted,
        "total": answer.total,
        "numberMatched": answer.matched,
        "numberReturned": len(answer.rows),
        "groups": answer.rows,
        **more,
    }
