"""The map of public layers as a folder, for machines that reach neither the service nor a network.

Any static web server hands it out:

    index.html style.json bundle.json   the page, the style, the date and layers of the bundle
    <layer>.pmtiles                     its tiles; all layers are of one moment
    legends/<layer>.<language>.json     in Vietnamese and English
    web/                                modules of the page, MapLibre, the reader of archives
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import orjson
from sqlalchemy import Connection, func, select

from api.routes.layers import summary
from api.routes.map import MAPLIBRE, WEB
from api.routes.status import facts
from gis.access import ANONYMOUS
from gis.database.engine import Database
from gis.errors import BadInput, Conflict, SetupError
from gis.settings import ROOT, Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import GeometryKind, Layer
from layers.style.legend import Language, legend
from layers.style.maplibre import map_style, style_of
from tiles.archive import SUFFIX, Progress, export_at, has_rows, metadata, one_moment, zooms_of
from tiles.state import read_states

PMTILES = ROOT / "node_modules" / "pmtiles" / "dist" / "pmtiles.js"
_SHARED = ("layers.js", "popup.js", "view.js", "words.js", "map.css", "icon.svg")
_MAPLIBRE = ("dist/maplibre-gl.mjs", "dist/maplibre-gl-worker.mjs", "dist/maplibre-gl.css")
_ABOUT = "bundle.json"
_MADE_BY = "gis tiles bundle"
_CLASSES: tuple[str, ...] = get_args(Layer.model_fields["classification"].annotation)

type Bars = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True)
class BundleReport:
    """The moment of a bundle, its layers, those without a row on the map, and its bytes."""

    moment: datetime
    layers: list[str]
    empty: list[str]
    bytes: int


def bundle(
    database: Database,
    settings: Settings,
    catalogue: Catalogue,
    folder: Path,
    names: Sequence[str],
    bars: Bars,
) -> BundleReport:
    """Write the folder, whole or not at all, in place of a bundle that was there.

    Without names it holds every public layer that has tiles and a row on the map. Raises Conflict
    for a folder that is no bundle, NotFound and BadInput for layers that cannot be in one,
    SetupError where the map's packages are missing.
    """
    layers = public_layers(catalogue, names)
    with _replacing(folder.resolve()) as new, one_moment(database, layers) as connection:
        _copy_page(new)
        shown = layers if names else [layer for layer in layers if has_rows(connection, layer)]
        if not shown:
            raise BadInput("no public layer has a row on the map: there is nothing to bundle")
        for layer in shown:
            with bars(f"exporting {layer.id}") as show:
                export_at(connection, layer, new / f"{layer.id}{SUFFIX}", show)
        moment = _describe(connection, settings, shown, new)
        size = sum(path.stat().st_size for path in new.rglob("*"))
    empty = [layer.id for layer in layers if layer not in shown]
    return BundleReport(moment, [layer.id for layer in shown], empty, size)


def public_layers(catalogue: Catalogue, names: Sequence[str]) -> list[Layer]:
    """The layers of some names; without names, all with tiles that anybody may read."""
    public = catalogue.readable(ANONYMOUS)
    if not names:
        return [
            layer
            for layer in public
            if layer.tiles
            and layer.geometry is not GeometryKind.NONE
            and layer.largest_export_km2 is None
        ]
    layers = [catalogue.get(name) for name in dict.fromkeys(names)]
    for layer in layers:
        zooms_of(layer)
        if layer not in public:
            raise BadInput(f"{layer.id} is not public: a bundle holds what anybody may read")
        if layer.largest_export_km2 is not None:
            raise BadInput(
                f"{layer.id} is given out by area alone (largest_export_km2): a bundle holds whole "
                "layers"
            )
    return layers


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of another when the block ends well."""
    if folder.exists() and not _is_bundle(folder):
        raise Conflict(
            f"{folder} is there and is no bundle: name a new folder, or one that this command made"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as room:
        new = Path(room, "new")
        new.mkdir()
        yield new
        _swap(new, folder, Path(room, "old"))


def _swap(new: Path, folder: Path, old: Path) -> None:
    """Put a new folder in the place of another; the old one is put back where that fails."""
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _is_bundle(folder: Path) -> bool:
    try:
        return bool(orjson.loads((folder / _ABOUT).read_bytes())["made_by"] == _MADE_BY)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _copy_page(to: Path) -> None:
    if not (MAPLIBRE.is_dir() and PMTILES.is_file()):
        raise SetupError("the map's packages are missing: run `make run`, or `npm ci`")
    web, maplibre = to / "web", to / "web" / "maplibre"
    maplibre.mkdir(parents=True)
    shutil.copy(WEB / "offline" / "index.html", to)
    own = [WEB / "offline" / "offline.js", WEB / "offline" / "LICENCES.txt", PMTILES]
    for path in [*own, *(WEB / name for name in _SHARED)]:
        shutil.copy(path, web)
    for name in (*_MAPLIBRE, "LICENSE.txt"):
        shutil.copy(MAPLIBRE.parent / name, maplibre)


def _describe(
    connection: Connection, settings: Settings, layers: Sequence[Layer], to: Path
) -> datetime:
    """Write the style, the legends and the description; gives the moment of which all of it is."""
    parts = [part for layer in layers for part in map_style(layer, _tiles(layer))]
    _write(to / "style.json", style_of(parts))
    (to / "legends").mkdir()
    for layer in layers:
        for language in get_args(Language.__value__):
            layer_legend = {"features": legend(layer, language)}
            _write(to / "legends" / f"{layer.id}.{language}.json", layer_legend)
    moment: datetime = connection.execute(select(func.now())).scalar_one()
    states = read_states(connection, [layer.id for layer in layers])
    about = {
        "made_by": _MADE_BY,
        "moment": moment,
        "classification": max((layer.classification for layer in layers), key=_CLASSES.index),
        "status": facts(connection, settings, layers),
        "layers": [
            metadata(layer, states[layer.id], moment) | summary(layer, records=True, hexes=False)
            for layer in layers
        ],
    }
    _write(to / _ABOUT, about)
    return moment


def _tiles(layer: Layer) -> str:
    """Address of the tiles of an archive beside the page, for the package pmtiles."""
    return f"pmtiles://{layer.id}{SUFFIX}/{{z}}/{{x}}/{{y}}"


def _write(path: Path, document: Any) -> None:
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
