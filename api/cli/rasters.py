"""gis rasters: rasters of raster layers, kept as Cloud Optimized GeoTIFFs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import Who, database_in_use, read_layers, read_settings, somebody_here
from api.cli.output import AsJson, print_facts, print_rows, progress, say

if TYPE_CHECKING:
    from gis.rasters.raster import StoredRaster

app = typer.Typer(help="Rasters: heights, rain, classes, inhabitants.", no_args_is_help=True)

LayerId = Annotated[str, typer.Argument(metavar="LAYER", help="Id of the raster layer")]
Times = Annotated[
    list[str] | None,
    typer.Option(
        "--time",
        help="Beginning of a step with its zone, such as 2024-09-10T01:00+07:00, or the date of a "
        "step of 24 hours",
    ),
]


@app.command(epilog="Example: gis rasters add dem.tif elevation --nodata -9999")
def add(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="GeoTIFF, or a folder of them")],
    layer_id: LayerId,
    time: Annotated[
        str | None,
        typer.Option(
            help="Time of the raster: the beginning of its step with a zone, or the date of a step "
            "of 24 hours; unset: from the file's name, in which an hour is UTC"
        ),
    ] = None,
    band: Annotated[int | None, typer.Option(help="Band of the file, from 1")] = None,
    crs: Annotated[
        str | None,
        typer.Option(help="CRS where the file has none or a doubtful one; `declared` keeps it"),
    ] = None,
    nodata: Annotated[
        list[str] | None,
        typer.Option(help="A value that means none, again for several; none: each is a value"),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the file, where it says a wrong one")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Who made it, and when; unset: name of the file")
    ] = None,
    simulated: Annotated[bool, typer.Option(help="It is no measurement; maps say so")] = False,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Add a raster, or each GeoTIFF of a folder as a step of time; those of the same time are
    replaced.

    It is checked (CRS, unit, values, nodata), and kept as a Cloud Optimized GeoTIFF with overviews.
    What is doubtful is asked about, and nothing is stored.
    """
    from gis.rasters.loader import RasterOptions, add_rasters, parse_nodata
    from layers.rasters import province_box

    settings = read_settings()
    layer = read_layers(settings).raster(layer_id)
    options = RasterOptions(
        somebody_here(who).name,
        time,
        band,
        crs,
        parse_nodata(nodata or []),
        unit,
        simulated,
        source,
    )
    with database_in_use() as database, progress("rasters") as show:
        area = province_box(database) or settings.extent
        report = add_rasters(
            database, settings.rasters, layer.id, layer.spec, path, options, area, show
        )
    facts = {"layer": report.layer_id, "added": report.added, "replaced": report.replaced}
    print_facts(facts | {"bytes": report.bytes}, as_json=as_json)


@app.command("list", epilog="Example: gis rasters list --json")
def list_command(as_json: AsJson = False) -> None:
    """List the raster layers with the number of their rasters."""
    from gis.rasters.store import stored_stack

    layers = read_layers(read_settings()).rasters
    rows = []
    with database_in_use() as database, database.reading() as connection:
        for layer in layers:
            stack = stored_stack(connection, layer.id)
            rows.append(
                {
                    "id": layer.id,
                    "title": layer.title.vi,
                    "unit": layer.unit,
                    "read": layer.access.read.value,
                    "rasters": len(stack.rasters) if stack else 0,
                    "newest": stack.newest.start if stack else None,
                    "simulated": stack.is_simulated if stack else False,
                }
            )
    print_rows(rows, as_json=as_json, empty="there is no raster layer")


@app.command(epilog="Example: gis rasters show rain_daily")
def show(layer_id: LayerId, as_json: AsJson = False) -> None:
    """Show the rasters of a layer: time, source, size, least, mean and greatest value."""
    from gis.rasters.store import require_stack

    layer = read_layers(read_settings()).raster(layer_id)
    with database_in_use() as database, database.reading() as connection:
        stack = require_stack(connection, layer.id)
    grid = stack.grid
    if not as_json:
        say(
            f"{grid.width} × {grid.height} pixels of {grid.pixel_x:g} × {grid.pixel_y:g} in "
            f"{grid.crs[:60]}"
        )
    print_rows([_row(raster) for raster in stack.rasters], as_json=as_json, empty="")


@app.command(epilog="Example: gis rasters remove rain_daily --time 2024-09-10")
def remove(
    layer_id: LayerId,
    times: Times = None,
    every: Annotated[bool, typer.Option("--all", help="All rasters of the layer")] = False,
) -> None:
    """Take rasters out of a layer; their files are deleted an hour later."""
    from gis.errors import BadInput
    from gis.rasters.store import remove_rasters

    layer = read_layers(read_settings()).raster(layer_id)
    if bool(times) == every:
        raise BadInput("say which: --time, again for several, or --all")
    starts = None if every else [layer.spec.step_of(text).start for text in times or []]
    with database_in_use() as database, database.writing() as connection:
        removed = remove_rasters(connection, layer.id, starts)
    say(f"{removed} rasters of {layer_id} removed")


@app.command(epilog="Example: gis rasters clean")
def clean() -> None:
    """Delete files that no raster names any more, as the service does each hour."""
    from gis.rasters.store import delete_unused

    with database_in_use() as database:
        deleted = delete_unused(database, read_settings().rasters)
    say(f"{deleted} files deleted")


@app.command(epilog="Example: gis rasters demo")
def demo(
    until: Annotated[str | None, typer.Option(help="Last day of rain; unset: today")] = None,
) -> None:
    """Add simulated heights, twelve days of rain, susceptibility and inhabitants.

    Layers that have a real raster are passed over. Maps stripe what is simulated, and say so.
    """
    import tempfile
    from datetime import date

    from gis.clock import today
    from gis.errors import BadInput
    from gis.rasters.demo import SOURCE, add_demo
    from gis.rasters.loader import RasterOptions, add_rasters, run_here
    from gis.rasters.store import stored_stack
    from layers.rasters import province_box

    settings = read_settings()
    catalogue = read_layers(settings)
    try:
        last = date.fromisoformat(until) if until else today()
    except ValueError:
        raise BadInput(f"--until {until} is no date: write it as 2024-09-10") from None
    with database_in_use() as database, tempfile.TemporaryDirectory() as folder:
        area = province_box(database) or settings.extent
        with database.reading() as connection:
            stacks = {each.id: stored_stack(connection, each.id) for each in catalogue.rasters}
        real = {name for name, stack in stacks.items() if stack and not stack.is_simulated}
        added = 0

        def add_one(layer_id: str, path: Path, time: str | None) -> None:
            nonlocal added
            if layer_id not in stacks or layer_id in real:
                return
            spec = catalogue.raster(layer_id).spec
            options = RasterOptions(
                somebody_here().name, time=time, nodata=(), simulated=True, source=SOURCE
            )
            add_rasters(
                database, settings.rasters, layer_id, spec, path, options, area, run=run_here
            )
            added += 1

        add_demo(area, last, Path(folder), add_one)
    say(f"{added} simulated rasters added" + (f"; kept as they are: {', '.join(sorted(real))}"
                                              if real else ""))  # fmt: skip


@app.command(epilog="Example: gis rasters zones inhabitants_grid --statistic sum")
def zones(
    layer_id: LayerId,
    statistic: Annotated[
        list[str] | None,
        typer.Option(
            help="count, sum, mean, min, max, stdev, median, majority, variety; again "
            "for several; unset: mean, of totals sum, of classes majority"
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Time of the step, as `gis rasters remove` takes it")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Statistics of a raster by commune of today: each pixel by the share of it that lies there."""
    from gis.errors import NotFound
    from gis.placing.reference import read_current_communes
    from gis.rasters.store import require_stack
    from gis.rasters.zones import USUAL, zonal_statistics

    settings = read_settings()
    layer = read_layers(settings).raster(layer_id)
    names = statistic or [USUAL[layer.quantity]]
    with database_in_use() as database, database.reading() as connection:
        stack = require_stack(connection, layer.id)
        communes = read_current_communes(connection)
    start = None if time is None else layer.spec.step_of(time).start
    steps = [step for step in stack.rasters if start is None or step.start == start]
    if not steps:
        raise NotFound(f"there is no step at {time}: `gis rasters show {layer_id}`")
    path = steps[-1].path(settings.rasters)
    found = zonal_statistics(path, communes.geometry.to_numpy(), names)
    rows = [
        {"code": code, "commune": name, **{column: _known(found[column][n]) for column in names}}
        for n, (code, name) in enumerate(zip(communes.code, communes.full_name, strict=True))
    ]
    print_rows(rows, as_json=as_json, empty="no boundaries are loaded")


def _known(value: float) -> float | None:
    return None if value != value else float(value)


def _row(raster: "StoredRaster") -> dict[str, object]:
    span, statistics = raster.span, raster.statistics
    return {
        "from": span.start if span else None,
        "to": span.end if span else None,
        "source": raster.source,
        "simulated": raster.simulated,
        "least": statistics["least"],
        "mean": statistics["mean"],
        "most": statistics["most"],
        "valid": statistics["valid"],
        "bytes": raster.bytes,
        "added_at": raster.added_at,
        "added_by": raster.added_by,
    }
