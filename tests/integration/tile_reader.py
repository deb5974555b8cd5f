"""Tiles read by GDAL, which had no part in making them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyogrio
import shapely

from tiles.grid import Tile


@dataclass(frozen=True)
class Decoded:
    """A feature of a tile; its geometry is in EPSG:3857."""

    id: int | None
    properties: dict[str, Any]
    geometry: shapely.Geometry

    @property
    def text(self) -> str:
        """One line: id, properties by name, kind of geometry and its vertices in whole metres."""
        told = " ".join(f"{name}={value}" for name, value in sorted(self.properties.items()))
        shape = shapely.to_wkt(shapely.normalize(self.geometry), rounding_precision=0)
        return f"{self.id}: {told} | {shape}"


def decode(content: bytes, tile: Tile, layer: str) -> list[Decoded]:
    """The features of one source layer of a tile, by id; none where the tile lacks the layer."""
    if not content or layer not in layers_in(content, tile):
        return []
    options = {"X": tile.x, "Y": tile.y, "Z": tile.z, "CLIP": "NO"}
    meta, _, geometries, columns = pyogrio.raw.read(content, layer=layer, **options)
    names = [str(name) for name in meta["fields"]]
    rows = zip(*columns, strict=True) if columns else ((),) * len(geometries)
    made = []
    for wkb, values in zip(geometries, rows, strict=True):
        told = {name: _plain(value) for name, value in zip(names, values, strict=True)}
        number = told.pop("mvt_id", None)
        given = {name: value for name, value in told.items() if value is not None}
        shape = shapely.from_wkb(wkb)
        made.append(Decoded(None if number is None else int(number), given, shape))
    return sorted(made, key=lambda one: (one.id or 0, one.text))


def layers_in(content: bytes, tile: Tile) -> list[str]:
    """The names of the source layers of a tile."""
    if not content:
        return []
    listed = pyogrio.list_layers(content)
    return [str(name) for name in listed[:, 0]]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
