"""Reader of the formats of GIS programs through GDAL and Arrow: columns of text and geometries.

The libraries run in a child process (see gis.intake.confined). The attributes of a Shapefile come
as ISO-8859-1, one character a byte: GDAL's own TCVN and CP1258 codecs drop the last character of
every value and of every field's name.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import BadFile
from gis.intake.confined import run_confined
from gis.intake.geo_child import read_by_gdal, read_parquet
from gis.intake.xml_prolog import root_element

_MAX_SIDECARS = 20


@dataclass(frozen=True, slots=True)
class GeoFormat:
    """A format of GIS programs.

    `magic` are bytes of which one stands within its first 64 (none: any); `root` the root elements
    of one that is XML. `sidecars` are the files beside it without which it cannot be read.
    `options` are GDAL's. `byte_text`: its text comes as bytes. `crs`: that which the format has
    where it declares none.
    """

    name: str
    magic: tuple[bytes, ...] = ()
    root: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    byte_text: bool = False
    crs: str | None = None


_OSM = GeoFormat("OpenStreetMap", magic=(b"OSMHeader",), crs="EPSG:4326")
FORMATS: dict[str, GeoFormat] = {
    ".gpkg": GeoFormat("GeoPackage", magic=(b"SQLite format 3\0",)),
    # Whole numbers of 19 digits would come as doubles, and change.
    ".shp": GeoFormat(
        "Shapefile",
        magic=(b"\0\0\x27\x0a",),
        sidecars=(".dbf", ".shx"),
        options={"encoding": "ISO-8859-1", "ADJUST_TYPE": "YES"},
        byte_text=True,
    ),
    ".kml": GeoFormat("KML", root=("kml",), crs="EPSG:4326"),
    ".gpx": GeoFormat("GPX", root=("gpx",), crs="EPSG:4326"),
    ".gml": GeoFormat(
        "GML",
        root=("FeatureCollection", "featureMembers"),
        options={"DOWNLOAD_SCHEMA": "NO", "WRITE_GFS": "NO"},
    ),
    ".tab": GeoFormat("MapInfo TAB", magic=(b"!table", b"!TABLE"), sidecars=(".dat",)),
    ".mif": GeoFormat("MapInfo MIF", magic=(b"VERSION", b"Version", b"version")),
    ".fgb": GeoFormat("FlatGeobuf", magic=(b"fgb\x03",)),
    ".gdb": GeoFormat("FileGDB"),
    ".dxf": GeoFormat("DXF", magic=(b"SECTION", b"AutoCAD Binary DXF", b"999")),
    ".osm.pbf": _OSM,
    ".pbf": _OSM,
    ".osm": GeoFormat("OpenStreetMap XML", root=("osm",), crs="EPSG:4326"),
    ".parquet": GeoFormat("GeoParquet", magic=(b"PAR1",)),
    ".geoparquet": GeoFormat("GeoParquet", magic=(b"PAR1",)),
}
FOLDERS = (".gdb",)
_FOREIGN_TABLE = re.compile(rb"create\s+view|open\s+table|type\s+(?!native|dbf)\w+", re.IGNORECASE)
_NEUTRAL_CHARSET = re.compile(rb"charset\s+\"neutral\"", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GeoFile:
    """Cells column by column; `decoded` is false when their characters are bytes.

    `unread` has, by 0-based row, the hexadecimal WKB of each geometry that could not be read.
    """

    columns: list[str]
    cells: list[list[str]]
    geometry: NDArray[np.object_] | None
    crs: str | None
    decoded: bool
    lines: Sequence[int]
    unread: dict[int, str]


def geo_suffix(name: str) -> str | None:
    """The suffix of a name, as FORMATS has it; the longest that fits."""
    fitting = [suffix for suffix in FORMATS if name.lower().endswith(suffix)]
    return max(fitting, key=len, default=None)


def read_geofile(path: Path, table: str | None) -> GeoFile:
    """All records of the file's only table, or of `table`.

    Raises BadFile, and AmbiguousInput where the file holds several tables and none is named.
    """
    suffix = geo_suffix(path.name)
    assert suffix is not None
    kind = FORMATS[suffix]
    options, byte_text = dict(kind.options), kind.byte_text
    if suffix == ".tab" and _NEUTRAL_CHARSET.search(path.read_bytes()[:65_536]):
        options["encoding"], byte_text = "ISO-8859-1", True
    read = read_parquet if kind.name == "GeoParquet" else read_by_gdal
    with plain_source(path) as source:
        raw = run_confined(read, str(source), path.stem, table, options, size=_size(source))
    geometry, unread = _shapes(raw["wkb"])
    lines = range(1, len(raw["cells"][0]) + 1) if raw["cells"] else range(1, raw["rows"] + 1)
    return GeoFile(
        raw["columns"],
        raw["cells"],
        geometry,
        raw["crs"] or (kind.crs if geometry is not None else None),
        not byte_text,
        lines,
        unread,
    )


@contextmanager
def plain_source(path: Path) -> Iterator[Path]:
    """A link to a file that is what its name says, under a name that means nothing to GDAL.

    Raises BadFile for what is something else, or lacks files beside it.
    """
    suffix = geo_suffix(path.name)
    assert suffix is not None
    _require_sidecar_files(path, FORMATS[suffix])
    _require_kind(path, FORMATS[suffix])
    with tempfile.TemporaryDirectory() as folder:
        yield _under_plain_name(path, suffix, Path(folder))


def _require_sidecar_files(path: Path, kind: GeoFormat) -> None:
    """Raises BadFile where a .shp stands alone: its attributes are in the .dbf beside it."""
    suffixes = {sibling.suffix.lower() for sibling in _siblings(path)}
    missing = [suffix for suffix in kind.sidecars if suffix not in suffixes]
    if missing:
        names = ", ".join(f"{path.stem}{suffix}" for suffix in missing)
        every = {".dbf": ".shp, .shx, .dbf, .prj"}.get(missing[0], ".shp, .shx, .dbf, .prj")
        every = ".tab, .dat, .map, .id" if kind.sidecars == (".dat",) else every
        raise BadFile(
            f"thiếu {names}; gửi đủ {every}, hoặc một tệp zip / "
            f"lacks {names}; give {every} together, or one zip of them"
        )


def _require_kind(path: Path, kind: GeoFormat) -> None:
    """Raises BadFile where the content is not what the name says: GDAL goes by the content, and
    some formats name other files to be read."""
    if path.is_dir():
        return
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(0)
        if kind.root and _root(file, kind) not in kind.root:
            raise _other_kind(kind)
        file.seek(0)
        if kind.sidecars == (".dat",) and _FOREIGN_TABLE.search(file.read(65_536)):
            raise BadFile(
                "TAB này trỏ tới bảng khác; hãy xuất thành một bảng riêng / "
                "this TAB refers to other tables; export it as a table of its own"
            )
    if kind.magic and not any(magic in start for magic in kind.magic):
        raise _other_kind(kind)


def _root(file: BinaryIO, kind: GeoFormat) -> str:
    try:
        return root_element(file)
    except BadFile as error:
        raise BadFile(f"{kind.name}: {error}") from None


def _under_plain_name(path: Path, suffix: str, folder: Path) -> Path:
    """A link to the file, and to its sidecars, whose name means nothing to GDAL.

    GDAL and pyogrio read `/vsi…`, `zip:…`, `…zip!…` and URLs out of names.
    """
    source = folder / f"data{suffix}"
    source.symlink_to(path.resolve())
    if FORMATS[suffix].sidecars or suffix in (".mif", ".gml"):
        for sibling in _siblings(path):
            rest = sibling.name[len(path.stem) :].lower()
            if rest != suffix and (suffix != ".gml" or rest == ".xsd"):
                (folder / f"data{rest}").symlink_to(sibling.resolve())
    return source


def _siblings(path: Path) -> list[Path]:
    stem = f"{path.stem}."
    beside = [each for each in path.parent.iterdir() if each.name.startswith(stem)]
    return [each for each in sorted(beside)[:_MAX_SIDECARS] if each.is_file()]


def _size(path: Path) -> int:
    files = path.parent.rglob("*") if not path.is_dir() else path.resolve().iterdir()
    return sum(each.stat().st_size for each in files if each.is_file())


def _shapes(
    wkb: Sequence[bytes | None] | None,
) -> tuple[NDArray[np.object_] | None, dict[int, str]]:
    if wkb is None:
        return None, {}
    packed = np.array([*wkb, None], object)[:-1]
    with np.errstate(invalid="ignore"):  # of NaN, which is one row's fault
        shapes: NDArray[np.object_] = shapely.from_wkb(packed, on_invalid="ignore")
        lost = np.flatnonzero(shapely.is_missing(shapes) & (packed != np.array(None)))
        return shapely.force_2d(shapes), {int(row): packed[row].hex() for row in lost}


def _other_kind(kind: GeoFormat) -> BadFile:
    return BadFile(
        f"nội dung không phải {kind.name}; hãy sửa đuôi tệp hoặc xuất lại / "
        f"its content is no {kind.name}; mend its extension, or export it again"
    )
