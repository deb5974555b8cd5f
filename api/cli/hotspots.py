"""gis hotspots: run the analysis, list its runs, repeat a run, expect late reports."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_layers_at_hand, read_settings
from api.cli.output import AsJson, print_rows, say, step
from gis.errors import BadInput, Conflict

if TYPE_CHECKING:
    from layers.definition.model import Layer
    from layers.detect import RunReport

app = typer.Typer(help="Run the hotspot analysis.", no_args_is_help=True)


# Said here since help does not load the analysis; a test compares it with the registry.
METHOD_HELP = (
    "One method; unset: all. stp_scan: scan; series: series; joint_scan: joint scan; "
    "gi_star: hotspots; local_moran: like and unlike their surroundings; "
    "emerging: emerging hot spots"
)


def _method(name: str) -> str:
    from layers.detect import METHODS

    if name not in METHODS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, METHODS))}.")
    return name


@app.command(epilog="Example: gis hotspots run citizen_reports --json")
def run(
    layer: Annotated[str | None, typer.Argument(help="A layer; unset: all with hotspots")] = None,
    until: Annotated[
        datetime | None, typer.Option(help="End of the window, UTC; unset: now")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(parser=_method, metavar="METHOD", help=METHOD_HELP),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find clusters, hotspots and emerging hot spots, and keep the alerts that follow from them.

    A method that cannot run keeps none of the others from running; it is reported at the end.
    """
    from layers.detect import run_method

    catalogue = read_layers(read_settings())
    chosen = [chosen_layer for chosen_layer in catalogue.layers if chosen_layer.hotspots]
    if layer is not None:
        chosen = [_with_hotspots(catalogue.get(layer))]
    current_time = datetime.now(UTC)
    end = until.replace(tzinfo=UTC) if until else current_time
    if end > current_time:
        raise BadInput(f"--until {end.isoformat()} lies in the future: give a time up to now, UTC")
    runs = [
        (chosen_layer, name) for chosen_layer in chosen for name in _methods(chosen_layer, method)
    ]
    rows, failed = [], []
    with database_in_use() as database:
        for chosen_layer, name in runs:
            step(f"{name} of {chosen_layer.id}")
            try:
                rows.append(_row(run_method(database, chosen_layer, name, end)))
            except BadInput as error:
                failed.append(f"{name} of {chosen_layer.id}: {error}")
    if rows or not failed:
        print_rows(rows, as_json=as_json, empty="no layer has a section `hotspots`")
    if failed:
        raise BadInput("; ".join(failed))


@app.command("list", epilog="Example: gis hotspots list citizen_reports")
def list_(
    layer: Annotated[str | None, typer.Argument(help="A layer; unset: all")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the stored runs: what each read, left out and found."""
    from layers.detect.runs import list_runs

    with database_in_use() as database, database.reading() as connection:
        rows = list_runs(connection, layer, limit)
    if layer is not None and not rows:  # a layer whose file is gone may have runs
        _with_hotspots(read_layers_at_hand().get(layer))
    print_rows(rows, as_json=as_json, empty="there are no runs yet")


@app.command(epilog="Example: gis hotspots repeat 12")
def repeat(run_id: Annotated[int, typer.Argument(metavar="RUN", help="Number of a run")]) -> None:
    """Repeat a run from its stored input, and compare the results; nothing is stored."""
    from layers.detect import repeat_run

    with database_in_use() as database:
        rerun = repeat_run(database, run_id)
    if rerun.run.code_version != rerun.code_now:
        say(f"run {run_id} was made by version {rerun.run.code_version}, this is {rerun.code_now}")
    if not rerun.equal:
        raise Conflict(f"run {run_id} is not equal: {'; '.join(rerun.differences)}")
    common = rerun.compared - rerun.found
    more = f", and {common} too common for a tier" if common else ""
    subject = f"{rerun.run.method} of {rerun.run.layer_id}"
    say(f"run {run_id} ({subject}) is equal: it found {rerun.found}{more}")


@app.command(epilog="Example: gis hotspots nowcast citizen_reports")
def nowcast(
    layer: Annotated[str, typer.Argument(help="A layer whose file names a field as `received`")],
    until: Annotated[
        datetime | None, typer.Option(help="End of the last day, UTC; unset: now")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Expect how many events there were on each of the last days, when all reports have come.

    By the delays of the last 56 days; `low` and `high` hold the number with probability 0.95.
    """
    from layers.detect.completeness import expected_events

    chosen_layer = _with_hotspots(read_layers(read_settings()).get(layer))
    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    with database_in_use() as database, database.reading() as connection:
        found = expected_events(connection, chosen_layer, end)
    rows: list[dict[str, object]] = [
        {
            **{str(name): value for name, value in row.items()},
            "since": row["since"].isoformat(timespec="minutes"),
            "until": row["until"].isoformat(timespec="minutes"),
            "completeness": round(row["completeness"], 3),
            "expected": round(row["expected"], 1),
        }
        for row in found.to_dict("records")
    ]
    print_rows(rows, as_json=as_json, empty="nothing is known of the last days")


def _with_hotspots(layer: "Layer") -> "Layer":
    if layer.hotspots is None:
        raise BadInput(
            f"layer {layer.id} has no section `hotspots` in its file: add one, then run "
            "`gis layers sync`"
        )
    return layer


def _methods(layer: "Layer", chosen: str | None) -> list[str]:
    from layers.detect import methods_of

    return [chosen] if chosen else methods_of(layer)


def _row(report: "RunReport") -> dict[str, object]:
    return {
        "layer": report.layer_id,
        "method": report.method,
        "run": report.run_id,
        "until": report.until.isoformat(timespec="seconds"),
        "records": report.records,
        "left_out": sum(report.left_out.values()),
        "found": report.found,
        "opened": len(report.alerts.opened),
        "updated": len(report.alerts.updated),
        "closed": len(report.alerts.closed),
    }
