"""gis summary: counts, means and rates of a layer's records, as /summary gives them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, check_folder, print_json, print_rows, say


def summary(
    layer: Annotated[str, typer.Argument(help="The layer")],
    by: Annotated[
        str,
        typer.Option(
            help="Up to three of commune, unit_then, old_ward, old_district, hex, road_km, year, "
            "quarter, month, week, day, weekday, hour, or a field, with a comma between"
        ),
    ] = "",
    statistics: Annotated[
        str,
        typer.Option(
            help="Some of count, per_1000, per_km2, values, sum, mean, median, min, max, share, "
            "length_km, covered_km2"
        ),
    ] = "",
    measure: Annotated[
        str | None, typer.Option(help="A field of numbers, or two times: received_at/answered_at")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The field of which month, weekday and so on are")
    ] = None,
    resolution: Annotated[int, typer.Option(min=5, max=10, help="H3 resolution of hexes")] = 7,
    road: Annotated[
        str | None, typer.Option(help="Of road_km: the layer and the road: roads/QL4D")
    ] = None,
    road_m: Annotated[
        float, typer.Option(min=1, max=5000, help="Of road_km: records so many metres from it")
    ] = 200,
    empty: Annotated[str, typer.Option(help="Groups without a record: no, yes or only")] = "no",
    having: Annotated[
        str | None, typer.Option(help="CQL2 on the columns of the answer: 'count > 50'")
    ] = None,
    sortby: Annotated[str | None, typer.Option(help="Columns of the answer: -count")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many groups")] = None,
    totals: Annotated[
        bool, typer.Option("--totals", help="By each of several groupings alone, too")
    ] = False,
    datetime: Annotated[
        str | None, typer.Option(help="A day or an interval, such as 2026-03-01/..")
    ] = None,
    bbox: Annotated[str | None, typer.Option(help="west,south,east,north")] = None,
    bbox_crs: Annotated[str | None, typer.Option(help="The CRS of --bbox")] = None,
    filter: Annotated[str | None, typer.Option(help="CQL2, as on items")] = None,
    filter_lang: Annotated[str | None, typer.Option(help="cql2-text or cql2-json")] = None,
    filter_crs: Annotated[str | None, typer.Option(help="The CRS of --filter")] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write: .csv or .xlsx; unset: a table is shown")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Summarise a layer's records by unit, hex, time or field.

    Example: gis summary citizen_reports --by commune --sortby=-count --limit 10
    """
    given = {
        "by": by, "statistics": statistics, "measure": measure, "time": time,
        "resolution": resolution, "road": road, "road-m": road_m, "empty": empty,
        "having": having, "sortby": sortby, "limit": limit, "totals": totals,
        "datetime": datetime, "bbox": bbox,
        "bbox-crs": bbox_crs, "filter": filter, "filter-lang": filter_lang,
        "filter-crs": filter_crs,
    }  # fmt: skip
    check_folder(output)
    _summarise(layer, {name: value for name, value in given.items() if value is not None}, output,
               as_json=as_json)  # fmt: skip


def _summarise(layer_id: str, given: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    from pydantic import ValidationError

    from api.ogc.parameters import query_of
    from api.routes.summary import document_of
    from gis.errors import BadInput
    from gis.text import fault_words
    from layers.cql2 import FilterScope
    from layers.items import source_of
    from layers.summary.files import csv_of, workbook_of
    from layers.summary.parameters import SummaryParameters
    from layers.summary.statement import summarise

    try:
        parameters = SummaryParameters.model_validate(given)
    except ValidationError as error:
        faults = (f"--{fault['loc'][0]}: {fault_words(fault['msg'])}" for fault in error.errors())
        raise BadInput("; ".join(faults)) from None
    catalogue = read_layers(read_settings())
    found = catalogue.get(layer_id)
    source = source_of(found)
    scope = FilterScope(source, lambda name: source_of(catalogue.get(name)))
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    with database_in_use() as database, database.reading() as connection:
        answer = summarise(
            connection, source, query_of(texts, source, given, scope), parameters, scope=scope
        )
    if output is not None:
        if output.suffix not in (".csv", ".xlsx"):
            raise BadInput(f"{output} is neither .csv nor .xlsx: name one of these")
        is_csv = output.suffix == ".csv"
        output.write_bytes(csv_of(answer) if is_csv else workbook_of(answer, found.id))
        say(f"{len(answer.rows)} groups of {answer.total} records: {output}")
    elif as_json:
        print_json(document_of(found, parameters, answer))
    else:
        print_rows(answer.rows, as_json=False, empty="no group")
        for rows in answer.totals.values():
            print_rows(rows, as_json=False, empty="no group")
