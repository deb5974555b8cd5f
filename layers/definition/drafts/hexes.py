"""Hexes of a draft: their resolutions, by the number and the spread of a file's places."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadInput
from gis.hexes import COARSEST, FINEST, Cells, parents_of
from gis.intake.chunks import TableChunks
from gis.intake.coordinates import (
    MAX_DEGREES,
    parse_degrees,
    settle_places,
    with_settled_places,
)
from gis.intake.numbers import parse_numbers
from gis.intake.tables import RawTable
from gis.placing.cells import h3_cells
from gis.placing.covers import MOST_CELLS, cells_needed, sizes_of
from gis.placing.shapes import shapes_in_degrees
from gis.placing.source_crs import GEOGRAPHIC, parse_crs, to_wgs84
from layers.definition.drafts.columns import DraftedColumn
from layers.definition.drafts.places import LOCAL, DraftedPlace
from layers.definition.model import GeometryKind

Floats = NDArray[np.float64]

USUAL_FINEST = 7  # 5 km²: finer than a commune, coarser than the precision of an address
_RECORDS_A_HEX = 2  # on average, from which a hex says more than its records do
# Finer hexes must be so many times more, else they tell no more places apart: coordinates that are
# rounded, or of the same few buildings.
_FINER = 1.2
_HEXES_A_SHAPE = 10  # at the median: beyond, hexes only draw the shape again
_MOST_HEXES = 500_000  # of all shapes together


def draft_resolutions(
    chunks: TableChunks, columns: Mapping[str, DraftedColumn], place: DraftedPlace
) -> list[int]:
    """H3 resolutions from the coarsest to the finest that the places of a file can fill.

    A file without coordinates, or with ones that are not understood, gives those up to
    `USUAL_FINEST`.
    """
    finest = USUAL_FINEST
    with suppress(AmbiguousInput, BadInput):
        if place.geometry is GeometryKind.POINT:
            finest = _finest_of_points(_cells(chunks, columns, place))
        else:
            finest = _finest_of_shapes(*_sizes(chunks, place))
    return list(range(COARSEST, finest + 1))


def _finest_of_points(cells: tuple[Cells, int]) -> int:
    """`cells`: those of the finest resolution that hold points, and the number of points."""
    held, count = cells
    finest, fewer = USUAL_FINEST, len(np.unique(parents_of(held, USUAL_FINEST)))
    for resolution in range(USUAL_FINEST + 1, FINEST + 1):
        hexes = len(np.unique(parents_of(held, resolution)))
        if count < _RECORDS_A_HEX * hexes or hexes <= _FINER * fewer:
            break
        finest, fewer = resolution, hexes
    return finest


def _finest_of_shapes(size_km: Floats, outline_km: Floats) -> int:
    """`size_km`: km² of areas, 0 of lines; `outline_km`: km of lines and outlines."""
    if not len(size_km):
        return USUAL_FINEST
    for resolution in range(FINEST, COARSEST, -1):
        needed = cells_needed(size_km, outline_km, resolution)
        if needed.max() > MOST_CELLS or needed.sum() > _MOST_HEXES:
            continue
        if resolution <= USUAL_FINEST or np.median(needed) <= _HEXES_A_SHAPE:
            return resolution
    return COARSEST


def _cells(
    chunks: TableChunks, columns: Mapping[str, DraftedColumn], place: DraftedPlace
) -> tuple[Cells, int]:
    held, count = np.array([], np.int64), 0
    for part in _with_places(chunks, place):
        lon, lat = _points(part, columns, place)
        given = ~np.isnan(lon)
        cells = h3_cells(lon[given], lat[given], FINEST).astype(np.int64)
        held, count = np.union1d(held, cells), count + len(cells)
    return held, count


def _points(
    part: RawTable, columns: Mapping[str, DraftedColumn], place: DraftedPlace
) -> tuple[Floats, Floats]:
    """Longitudes and latitudes (degrees, WGS 84), NaN where there are none."""
    if part.points is not None:
        return to_wgs84(*part.points, part.crs or _likely_crs(part))
    pair = place.words.get("coordinates")
    if pair is None:
        return np.array([]), np.array([])
    x, y = (
        parse_degrees(part[column], column=column).numbers
        if pair["crs"] in GEOGRAPHIC
        else parse_numbers(part[column], columns[column].format, column=column).numbers
        for column in (pair["x"], pair["y"])
    )
    return to_wgs84(x, y, pair["crs"])


def _sizes(chunks: TableChunks, place: DraftedPlace) -> tuple[Floats, Floats]:
    sizes = [(np.array([]), np.array([]))]
    for part in _with_places(chunks, place):
        if part.geometry is None:
            continue
        crs = parse_crs(part.crs or _likely_crs(part))
        shapes = shapes_in_degrees(part.geometry, crs).shapes
        sizes.append(sizes_of(np.array([each for each in shapes if each is not None], object)))
    size_km, outline_km = map(np.concatenate, zip(*sizes, strict=True))
    return size_km, outline_km


def _with_places(chunks: TableChunks, place: DraftedPlace) -> Iterator[RawTable]:
    """The chunks, each with the geometry of a column that holds places, where one does."""
    column = place.place_column
    if column is None:
        yield from chunks
        return
    settled = settle_places(column, (part[column] for part in chunks), GEOGRAPHIC[0])
    for part in chunks:
        yield with_settled_places(part, settled)


def _likely_crs(table: RawTable) -> str:
    """The CRS of geometries that name none: degrees, else metres of the province's VN-2000."""
    xy = np.abs(shapely.get_coordinates(table.geometry))
    return GEOGRAPHIC[0] if np.nanmax(xy, initial=0) <= MAX_DEGREES else LOCAL
