"""Reader of GeoPackage, Shapefile and XLSX through GDAL: columns of text and geometries.

The attributes of a Shapefile come as ISO-8859-1, one character a byte: GDAL's own TCVN and
CP1258 codecs drop the last character of every value and of every field's name.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadFile
from gis.intake.numbers import EXACT_IN_DOUBLE
from gis.intake.texts import number_text

_OPTIONS = {
    # Whole numbers of 19 digits would come as doubles, and change.
    ".shp": {"encoding": "ISO-8859-1", "ADJUST_TYPE": "YES"},
    # The first row names the columns: of a sheet that is all text, GDAL would take it for data.
    ".xlsx": {"HEADERS": "FORCE"},
}
_MIDNIGHT = "T00:00:00"
_MAX_UNPACKED_BYTES = 4 * 2**30


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
    """All records of the file's only table, or of `table`.

    Raises BadFile, and AmbiguousInput where the file holds several tables and none is named.
    """
    import pyogrio

    source = _source(path)
    kind = Path(source).suffix.lower()
    try:
        layer, options = _table(source, table), _OPTIONS.get(kind, {})
        meta, ids, geometry, fields = pyogrio.raw.read(
            source, layer=layer, datetime_as_string=True, return_fids=True, **options
        )
        rounded = [i for i, values in enumerate(fields) if _is_rounded(values, meta, i)]
        exact = _exact_integers(source, layer, options, rounded) if rounded else {}
    except pyogrio.errors.DataSourceError as error:
        raise _unreadable(error) from None
    columns = [str(name) for name in meta["fields"]]
    cells = [
        exact.get(i) or _texts(values, str(kind_of))
        for i, (values, kind_of) in enumerate(zip(fields, meta["ogr_types"], strict=True))
    ]
    if kind == ".xlsx":
        return _sheet(columns, cells, ids.tolist())
    lines = range(1, len(ids) + 1)
    return GeoFile(columns, cells, _shapes(geometry), meta["crs"], kind != ".shp", lines)


def _is_rounded(values: NDArray[Any], meta: dict[str, Any], i: int) -> bool:
    """True where whole numbers beyond 2^53 came as doubles, as they do beside missing values."""
    if meta["ogr_types"][i] != "OFTInteger64" or values.dtype.kind != "f":
        return False
    return bool((np.abs(values[np.isfinite(values)]) >= EXACT_IN_DOUBLE).any())


def _exact_integers(
    source: str, layer: str, options: dict[str, str], columns: Sequence[int]
) -> dict[int, list[str]]:
    """The cells of columns of whole numbers, by index; Arrow has integers with missing values."""
    import pyogrio

    _, table = pyogrio.raw.read_arrow(source, layer=layer, read_geometry=False, **options)
    return {i: [_text(value) for value in table.column(i).to_pylist()] for i in columns}


def _sheet(columns: list[str], cells: list[list[str]], rows: list[int]) -> GeoFile:
    """A sheet without its blank rows; `lines` are the row numbers that the spreadsheet shows."""
    filled = [any(record) for record in zip(*cells, strict=True)]
    columns_without_blanks = [list(compress(values, filled)) for values in cells]
    return GeoFile(columns, columns_without_blanks, None, None, True, list(compress(rows, filled)))


def _source(path: Path) -> str:
    if path.suffix.lower() == ".shp":
        _require_sidecar_files(path)
    return _shapefile_in_zip(path) if path.suffix.lower() == ".zip" else str(path)


def _require_sidecar_files(path: Path) -> None:
    """Raises BadFile where a .shp stands alone: its attributes are in the .dbf beside it."""
    suffixes = {sibling.suffix.lower() for sibling in path.parent.glob(f"{path.stem}.*")}
    missing = [suffix for suffix in (".dbf", ".shx") if suffix not in suffixes]
    if missing:
        names = ", ".join(f"{path.stem}{suffix}" for suffix in missing)
        raise BadFile(
            f"thiếu {names}; gửi đủ .shp, .shx, .dbf, .prj, hoặc một tệp zip / "
            f"lacks {names}; give .shp, .shx, .dbf and .prj together, or one zip of them"
        )


def _shapefile_in_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile:
        raise BadFile("không phải tệp zip / is no zip file") from None
    if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES:
        raise BadFile("giải nén ra quá 4 GiB; hãy chia nhỏ / unpacks to more than 4 GiB; split it")
    shapes = [member.filename for member in members if member.filename.lower().endswith(".shp")]
    if len(shapes) != 1:
        raise BadFile(
            f"zip có {len(shapes)} tệp .shp, phải có đúng một / "
            f"the zip holds {len(shapes)} .shp files; it must hold exactly one"
        )
    return f"/vsizip/{path.resolve()}/{shapes[0]}"


def _table(source: str, table: str | None) -> str:
    import pyogrio

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
    raise AmbiguousInput(
        f"có {len(names)} bảng, hãy chọn một bằng --table / "
        f"holds {len(names)} tables, choose one with --table: {listed}"
    )


def _shapes(geometry: NDArray[np.object_] | None) -> NDArray[np.object_] | None:
    if geometry is None:
        return None
    with np.errstate(invalid="ignore"):  # of NaN, which is one row's fault
        shapes: NDArray[np.object_] = shapely.force_2d(shapely.from_wkb(geometry))
    return shapes


def _texts(values: NDArray[Any], ogr_type: str) -> list[str]:
    if values.dtype.kind == "f":
        return [number_text(value) for value in values.tolist()]
    texts = [_text(value) for value in values.tolist()]
    if ogr_type == "OFTDateTime" and all(not text or text.endswith(_MIDNIGHT) for text in texts):
        return [text.removesuffix(_MIDNIGHT) for text in texts]  # a column of days
    return texts


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unreadable(error: Exception) -> BadFile:
    return BadFile(
        f"không đọc được: {error}; hãy xuất lại từ QGIS thành GeoPackage / "
        f"cannot be read: {error}; export it again from QGIS as GeoPackage"
    )
