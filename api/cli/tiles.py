"""gis tiles: seeding of tiles, archives of all tiles of a layer, the map as a folder."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_facts, progress
from gis.errors import BadInput, Unavailable

if TYPE_CHECKING:
    import httpx

    from layers.definition.model import Layer

app = typer.Typer(
    help="Make tiles ahead, archives of them, and a map of archives.", no_args_is_help=True
)
_ZOOMS = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")


@app.command(epilog="Example: gis tiles seed communes --zooms 5-10")
def seed(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    zooms: Annotated[str, typer.Option(help="A zoom, or the first and the last")] = "5-10",
    url: Annotated[str | None, typer.Option(help="The service; unset: as the settings say")] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="GIS_KEY", help="For layers that are not public: tiles are kept apart"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Request the tiles of a layer from the running service, so that its cache has them.

    Each serving process has a cache of its own.
    """
    import httpx

    from tiles.archive import tiles_with_rows

    settings = read_settings()
    chosen = read_layers(settings).get(layer)
    chosen_zooms = _parse_zooms(chosen, zooms)
    base = url or settings.public_url or f"http://{settings.host}:{settings.port}"
    with database_in_use() as database, database.snapshot() as connection:
        tiles = list(tiles_with_rows(connection, chosen, chosen_zooms))
    headers = {"X-API-Key": key} if key else {}
    size = 0
    with progress(f"seeding {layer}") as show, httpx.Client(timeout=60, headers=headers) as client:
        for done, tile in enumerate(tiles):
            show(done, len(tiles))
            size += len(_fetch(client, f"{base}/tiles/{layer}/{tile.z}/{tile.x}/{tile.y}.mvt"))
    print_facts({"tiles": len(tiles), "bytes": size}, as_json=as_json)


def _fetch(client: "httpx.Client", address: str) -> bytes:
    import httpx

    try:
        answer = client.get(address)
    except httpx.TransportError as error:
        raise Unavailable(
            f"the service does not answer at {address}: start it with `gis up`, or say --url"
        ) from error
    if not answer.is_success:
        raise BadInput(f"{address} was answered {answer.status_code}: is the layer public?")
    return answer.content


def _parse_zooms(layer: "Layer", zooms: str) -> range:
    """The zooms of a text such as 7 or 5-10; raises BadInput where the layer lacks one."""
    from tiles.archive import zooms_of

    match = _ZOOMS.fullmatch(zooms)
    if match is None:
        raise BadInput(f"--zooms {zooms}: give a zoom or two, such as 7 or 5-10")
    first, last = int(match[1]), int(match[2] or match[1])
    available = zooms_of(layer)
    if not available[0] <= first <= last <= available[-1]:
        raise BadInput(
            f"--zooms {zooms}: {layer.id} has tiles from zoom {available[0]} to {available[-1]}"
        )
    return range(first, last + 1)


@app.command("export", epilog="Example: gis tiles export citizen_reports")
def export_command(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    file: Annotated[
        Path | None,
        typer.Argument(help="A .pmtiles file; unset: where the service hands out public layers"),
    ] = None,
    max_zoom: Annotated[int | None, typer.Option(help="Last zoom; unset: of the layer")] = None,
    as_json: AsJson = False,
) -> None:
    """Write all tiles of a layer into one PMTiles file, as of one moment; whole or not at all."""
    from tiles.archive import SUFFIX, export

    settings = read_settings()
    chosen = read_layers(settings).get(layer)
    path = file or settings.archives / f"{chosen.id}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with database_in_use() as database, progress(f"exporting {layer}") as show:
        archive = export(database, chosen, path, show, max_zoom)
    facts = {
        "file": path,
        "tiles": archive.tiles,
        "version": archive.version,
        "bytes": archive.bytes,
    }
    print_facts(facts, as_json=as_json)


@app.command("bundle", epilog="Example: gis tiles bundle map-of-today communes citizen_reports")
def bundle_command(
    folder: Annotated[Path, typer.Argument(help="A new folder, or a bundle to make anew")],
    layers: Annotated[
        list[str] | None, typer.Argument(help="Ids of layers; none: all public ones with tiles")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the map of public layers as a folder for any static web server, without the service.

    All layers are of one moment; the folder appears whole or not at all.
    """
    from api.bundle import bundle

    settings = read_settings()
    catalogue = read_layers(settings)
    with database_in_use() as database:
        report = bundle(database, settings, catalogue, folder, layers or (), progress)
    facts = {"folder": folder, "moment": report.moment, "layers": report.layers}
    print_facts(facts | {"empty": report.empty, "bytes": report.bytes}, as_json=as_json)
