"""GeoPackage, Shapefile and XLSX → columns of text and geometries, through GDAL.

The attributes of a Shapefile come as ISO-8859-1, one character a byte: GDAL's own TCVN and
CP1258 codecs drop the last character of every value and of every field's name.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from gis.errors import BadFile, Question
from gis.intake.texts import number_text

BYTES = "ISO-8859-1"
_LARGEST_ZIP_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class GeoFile:
    """Cells column by column; `decoded` is false when their characters are bytes."""

    columns: list[str]
    cells: list[list[str]]
    geometry: NDArray[np.object_] | None
    crs: str | None
    decoded: bool
    lines: Sequence[int]


def read_geofile(path: Path, table: str | None) -> GeoFile:
    """All records of the file's only table, or of the one named. Raises BadFile, Question."""
    source = _source(path)
    is_shapefile = source.lower().endswith(".shp")
    is_sheet = source.lower().endswith(".xlsx")
    try:
        layer = _table(source, table)
        encoding = BYTES if is_shapefile else None
        meta, _, geometry, fields = pyogrio.raw.read(
            source, layer=layer, encoding=encoding, datetime_as_string=True
        )
    except pyogrio.errors.DataSourceError as error:
        raise _unreadable(error) from None
    columns = [str(name) for name in meta["fields"]]
    cells = [_texts(values) for values in fields]
    count = len(cells[0]) if cells else 0 if geometry is None else len(geometry)
    first = 2 if is_sheet else 1
    return GeoFile(
        columns, cells, _shapes(geometry), meta["crs"], not is_shapefile,
        range(first, first + count),
    )  # fmt: skip


def _source(path: Path) -> str:
    if path.suffix.lower() == ".shp":
        _refuse_alone(path)
    return _in_zip(path) if path.suffix.lower() == ".zip" else str(path)


def _refuse_alone(path: Path) -> None:
    """A shapefile is three files at least; sent alone, the .shp has no attributes."""
    there = {one.suffix.lower() for one in path.parent.glob(f"{path.stem}.*")}
    missing = [suffix for suffix in (".dbf", ".shx") if suffix not in there]
    if missing:
        names = ", ".join(f"{path.stem}{suffix}" for suffix in missing)
        raise BadFile(
            f"thiếu {names}; gửi đủ .shp, .shx, .dbf, .prj, hoặc một tệp zip / "
            f"lacks {names}; give .shp, .shx, .dbf and .prj together, or one zip of them"
        )


def _in_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile:
        raise BadFile("không phải tệp zip / is no zip file") from None
    if sum(member.file_size for member in members) > _LARGEST_ZIP_BYTES:
        raise BadFile("giải nén ra quá 4 GiB / unpacks to more than 4 GiB; split it")
    shapes = [one.filename for one in members if one.filename.lower().endswith(".shp")]
    if len(shapes) != 1:
        raise BadFile(
            f"zip có {len(shapes)} tệp .shp, phải có đúng một / "
            f"the zip holds {len(shapes)} .shp files; it must hold exactly one"
        )
    return f"/vsizip/{path.resolve()}/{shapes[0]}"


def _table(source: str, table: str | None) -> str:
    names = [str(name) for name in pyogrio.list_layers(source)[:, 0]]
    if table is None and len(names) == 1:
        return names[0]
    if table in names:
        return str(table)
    listed = ", ".join(f"“{name}”" for name in names)
    if table is not None:
        raise BadFile(f"không có bảng / there is no table “{table}”; có / there are: {listed}")
    if not names:
        raise BadFile("không có bảng nào / holds no table")
    raise Question(
        f"có {len(names)} bảng, hãy chọn một bằng --table / "
        f"holds {len(names)} tables, choose one with --table: {listed}"
    )


def _shapes(geometry: NDArray[np.object_] | None) -> NDArray[np.object_] | None:
    if geometry is None:
        return None
    shapes: NDArray[np.object_] = shapely.force_2d(shapely.from_wkb(geometry))
    return shapes


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "f":
        return [number_text(value) for value in values.tolist()]
    if values.dtype.kind == "M":
        return ["" if np.isnat(value) else _instant(value) for value in values]
    return [_text(value) for value in values.tolist()]


def _instant(value: np.datetime64) -> str:
    text = str(value)
    return text.removesuffix(".000").removesuffix("T00:00:00")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return number_text(value) if isinstance(value, float) else str(value)


def _unreadable(error: Exception) -> BadFile:
    return BadFile(
        f"không đọc được: {error}; hãy xuất lại từ QGIS thành GeoPackage / "
        f"cannot be read: {error}; export it again from QGIS as GeoPackage"
    )
