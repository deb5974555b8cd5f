"""gis trace: the life of one record."""

from dataclasses import asdict
from typing import Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_json, print_rows, say


def trace(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    key: Annotated[str, typer.Argument(help="Key of the record, as its source gives it")],
    as_json: AsJson = False,
) -> None:
    """Tell the life of a record: source, loads, mapping, corrections, placings.

    Example: gis trace landslides TC-2024-17
    """
    from layers.ingest.trace import trace

    catalogue = read_layers(read_settings())
    with database_in_use() as database, database.reading() as connection:
        traces = trace(connection, catalogue.get(layer), key)
    if as_json:
        print_json([asdict(each) for each in traces])
        return
    for each in traces:
        item = f"item {each.item}" if each.item is not None else "not served"
        say(f"{layer} {key}, source {each.source}: {item}")
        rows = [
            {
                "at": step.at,
                "what": step.what,
                "who": step.who,
                "load": step.load,
                "file": step.file,
                "line": step.line,
                "mapping": step.mapping,
                "why": step.why,
                "changed": ", ".join(step.after),
            }
            for step in each.steps
        ]
        print_rows(rows, as_json=False, empty="nothing is known of how it came")
