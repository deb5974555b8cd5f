"""gis hotspots: find them now."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_rows, step
from layers.hotspots import RunReport, run_hotspots

app = typer.Typer(help="Run the hotspot analysis.", no_args_is_help=True)


@app.callback()
def _hotspots() -> None:
    """Keeps `run` a command of its own while it is the only one."""


@app.command(epilog="Example: gis hotspots run citizen_reports --json")
def run(
    layer: Annotated[str | None, typer.Argument(help="A layer; unset: all with hotspots")] = None,
    until: Annotated[
        datetime | None, typer.Option(help="End of the window, UTC; unset: now")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find hotspots in the latest window and keep the alerts that follow from them."""
    catalogue = read_layers(read_settings())
    chosen = [catalogue.get(layer)] if layer else [one for one in catalogue.layers if one.hotspots]
    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    rows = []
    with database_in_use() as database:
        for one in chosen:
            step(f"hotspots of {one.id}")
            rows.append(_row(run_hotspots(database, one, end)))
    print_rows(rows, as_json=as_json, empty="no layer has a section `hotspots`")


def _row(report: RunReport) -> dict[str, object]:
    return {
        "layer": report.layer_id,
        "run": report.run_id,
        "until": report.until.isoformat(timespec="seconds"),
        "hexes": report.cells,
        "records": report.records,
        "left_out": report.left_out,
        "hot": report.hot,
        "opened": len(report.alerts.opened),
        "updated": len(report.alerts.updated),
        "closed": len(report.alerts.closed),
    }
