"""Reader of extracts of GeoNames and OpenStreetMap: places, roads and rivers with their names.

Both have their own shape, and thousands of kinds of things. They come out as tables of the columns
id, name, aliases (parted by `;`), kind, and a geometry or lon, lat. Things without a name are left
out, as are GeoNames' administrative units.

* GeoNames: https://download.geonames.org/export/dump/readme.txt (CC BY 4.0), 19 columns by tabs;
* OpenStreetMap: .osm.pbf or .osm (ODbL 1.0), by GDAL's driver.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadFile
from gis.text import nfc

COLUMNS: Final = ("id", "name", "aliases", "kind", "lon", "lat")
OSM: Final = (".osm.pbf", ".osm")
OSM_TABLES: Final = ("places", "roads", "rivers")

_GEONAMES_COLUMNS = 19
_GEONAMES_KINDS = {
    "P": "village", "S": "building", "R": "road", "H": "water", "T": "mountain", "L": "area",
    "V": "vegetation",
}  # fmt: skip
_GEONAMES_CODES = {
    "SCH": "school", "HSP": "health_post", "HSPC": "health_post", "HSPD": "health_post",
    "CLIN": "health_post", "MKT": "market", "BDG": "bridge", "RSTN": "station", "ST": "street",
    "PPLA": "town", "PPLA2": "town", "PPLX": "neighbourhood",
}  # fmt: skip

# Tags that say what a thing is, the most telling first, and what their values are called here.
_KIND_TAGS = (
    "place", "amenity", "healthcare", "man_made", "railway", "tourism", "office", "shop", "leisure",
    "natural", "historic", "highway", "building",
)  # fmt: skip
_OSM_KINDS = {
    "marketplace": "market", "kindergarten": "school", "clinic": "health_post",
    "doctors": "health_post", "hospital": "hospital",
}  # fmt: skip
_ALIAS_TAGS = ("name:vi", "alt_name", "old_name", "official_name", "short_name", "ref", "name:en")


@dataclass(frozen=True, slots=True)
class Extract:
    """n things: cells by column, `geometry` (EPSG:4326) or None where lon and lat say it all."""

    cells: dict[str, list[str]]
    geometry: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.cells["id"])


@dataclass(frozen=True, slots=True)
class _Thing:
    id: str
    name: str
    aliases: str
    kind: str
    shape: shapely.Geometry


def is_geonames(text: str) -> bool:
    """True where the first line has the columns of GeoNames, which have no head."""
    columns = text.partition("\n")[0].rstrip("\r").split("\t")
    return len(columns) == _GEONAMES_COLUMNS and columns[0].isdigit() and len(columns[6]) == 1


def read_geonames(text: str) -> Extract:
    """The places of a file of GeoNames; raises BadFile, which names the line."""
    cells: dict[str, list[str]] = {column: [] for column in COLUMNS}
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split("\t")
        if len(columns) != _GEONAMES_COLUMNS:
            raise BadFile(
                f"dòng {number}: {len(columns)} cột, GeoNames có 19 / "
                f"line {number}: {len(columns)} columns; GeoNames has 19, by tabs"
            )
        identity, name, _, others, lat, lon, feature_class, code = columns[:8]
        kind = _GEONAMES_CODES.get(code) or _GEONAMES_KINDS.get(feature_class)
        if kind is not None and name:
            values = (f"geonames:{identity}", nfc(name), others.replace(",", ";"), kind, lon, lat)
            for column, value in zip(COLUMNS, values, strict=True):
                cells[column].append(value)
    return Extract(cells)


def read_osm(path: Path, table: str | None) -> Extract:
    """The named places, roads or rivers of an extract of OpenStreetMap.

    Raises AmbiguousInput when `table` is none of `OSM_TABLES`, and BadFile.
    """
    if table not in OSM_TABLES:
        listed = ", ".join(OSM_TABLES)
        raise AmbiguousInput(
            f"hãy chọn một bảng bằng --table: {listed} / choose one with --table: {listed}"
        )
    things = list(_places(path) if table == "places" else _lines(path, table))
    cells = {
        "id": [thing.id for thing in things],
        "name": [thing.name for thing in things],
        "aliases": [thing.aliases for thing in things],
        "kind": [thing.kind for thing in things],
    }
    return Extract(cells, np.array([thing.shape for thing in things], object))


def read_plain(path: str, table: str) -> dict[str, Any]:
    """As `read_osm`, as plain values: for a child process with bounds."""
    extract = read_osm(Path(path), table)
    assert extract.geometry is not None
    return {"cells": extract.cells, "wkb": shapely.to_wkb(extract.geometry).tolist()}


def from_plain(plain: dict[str, Any]) -> Extract:
    """The extract that `read_plain` gave."""
    shapes = np.array([*plain["wkb"], None], object)[:-1]
    return Extract(plain["cells"], np.asarray(shapely.from_wkb(shapes), object))


def _places(path: Path) -> Iterator[_Thing]:
    """Points, and areas by a point on them."""
    for layer in ("points", "multipolygons"):
        for tags, shape in _features(path, layer, "name IS NOT NULL"):
            kind = next((tags[tag] for tag in _KIND_TAGS if tags.get(tag)), None)
            if kind is not None:
                identity = f"n{tags['osm_id']}" if layer == "points" else _area_id(tags)
                point = shapely.point_on_surface(shape)
                yield _thing(identity, tags, _OSM_KINDS.get(kind, kind), point)


def _area_id(tags: Mapping[str, str]) -> str:
    """An area is a closed way, or a relation."""
    return f"w{tags['osm_way_id']}" if "osm_way_id" in tags else f"r{tags['osm_id']}"


def _lines(path: Path, table: str) -> Iterator[_Thing]:
    tag = "highway" if table == "roads" else "waterway"
    for tags, shape in _features(path, "lines", f"{tag} IS NOT NULL"):
        if "name" in tags or "ref" in tags:
            yield _thing(f"w{tags['osm_id']}", tags, tags[tag], shape)


def _thing(identity: str, tags: Mapping[str, str], kind: str, shape: shapely.Geometry) -> _Thing:
    name = tags.get("name") or tags["ref"]
    others = [tags[tag] for tag in _ALIAS_TAGS if tags.get(tag) and tags[tag] != name]
    return _Thing(f"osm:{identity}", nfc(name), ";".join(dict.fromkeys(others)), kind, shape)


def _features(
    path: Path, layer: str, where: str
) -> Iterator[tuple[dict[str, str], shapely.Geometry]]:
    """Tags and geometry of each feature of one of the layers of GDAL's driver."""
    import pyogrio

    try:
        meta, _, geometry, fields = pyogrio.raw.read(
            path, layer=layer, where=where, TAGS_FORMAT="JSON"
        )
    except pyogrio.errors.DataSourceError as error:
        raise BadFile(
            f"không đọc được tệp OpenStreetMap / is no extract of OpenStreetMap: {error}"
        ) from None
    names = [str(name) for name in meta["fields"]]
    shapes = shapely.from_wkb(geometry)
    for i, shape in enumerate(shapes):
        tags: dict[str, Any] = {
            name: str(values[i]) for name, values in zip(names, fields, strict=True) if values[i]
        }
        if "other_tags" in tags:
            tags |= json.loads(tags.pop("other_tags"))
        if shape is not None and not shapely.is_empty(shape):
            yield tags, shape
