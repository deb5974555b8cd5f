"""Suitability: hexes by how well they meet weighted criteria and constraints."""

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Double, cast, func, select

from gis.errors import BadInput
from layers.definition.model import GeometryKind, LocalizedText
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    Metres,
    NewCollection,
    Parameters,
    Process,
    RasterInput,
    number,
    parameter,
)
from layers.processes.raster_values import raster_values
from layers.processes.zones import Column, Zones, hex_zones, hexes_within, zonal_collection

Floats = npt.NDArray[np.float64]
# Mean consistency index of random judgements, by the number of criteria (Saaty 1980).
RANDOM_INDEX = (0.0, 0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49)


class Criterion(Parameters):
    """What of a layer or raster counts, and from which value to which it goes from 0 to 1."""

    layer: LayerInput = parameter(..., "Lớp dữ liệu hoặc lớp ảnh", "Layer or raster layer")
    measure: Literal["distance", "count", "mean", "raster", "slope"] = parameter(
        "distance", "Đo bằng", "Measure",
        extra={"labels_vi": {"distance": "khoảng cách gần nhất (m)", "count": "số đối tượng",
                             "mean": "trung bình của trường", "raster": "giá trị của ảnh",
                             "slope": "độ dốc của lớp độ cao (độ)"}},
    )  # fmt: skip
    field: str | None = parameter(None, "Trường số", "Number property", max_length=60)
    worst: float = parameter(..., "Giá trị kém nhất (0)", "Value that scores 0")
    best: float = parameter(..., "Giá trị tốt nhất (1)", "Value that scores 1")
    weight: float = parameter(1, "Trọng số", "Weight", ge=0, le=1_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.worst == self.best:
            raise ValueError("`worst` and `best` are the same value")
        if (self.measure == "mean") != (self.field is not None):
            raise ValueError("`field` is the number for `measure: mean`, and for no other")
        if self.measure in ("raster", "slope") and self.layer.filter is not None:
            raise ValueError("a raster has no records to filter: `datetime` chooses its step")
        return self


class Constraint(Parameters):
    """Where a hex may not be, however well it scores: by its centre."""

    layer: LayerInput = parameter(..., "Lớp dữ liệu hoặc lớp ảnh", "Layer or raster layer")
    must: Literal["within", "outside", "near", "not_near", "above", "below"] = parameter(
        "outside", "Phải", "Must be",
        extra={"labels_vi": {"within": "nằm trong", "outside": "nằm ngoài", "near": "ở gần",
                             "not_near": "ở xa", "above": "có giá trị ảnh trên",
                             "below": "có giá trị ảnh dưới"}},
    )  # fmt: skip
    distance_m: Metres | None = parameter(None, "Khoảng cách (m)", "Distance (m)")
    value: float | None = parameter(None, "Giá trị của ảnh", "Value of the raster")
    measure: Literal["raster", "slope"] = parameter(
        "raster", "Đại lượng của ảnh", "What of the raster",
        extra={"labels_vi": {"raster": "giá trị", "slope": "độ dốc của lớp độ cao (độ)"}},
    )  # fmt: skip

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if (self.must in ("near", "not_near")) != (self.distance_m is not None):
            raise ValueError("`distance_m` is for `near` and `not_near`, which need it")
        if (self.must in ("above", "below")) != (self.value is not None):
            raise ValueError("`value` is for `above` and `below` of a raster, which need it")
        if self.value is not None and self.layer.filter is not None:
            raise ValueError("a raster has no records to filter: `datetime` chooses its step")
        return self


class SuitabilityParameters(Parameters):
    """Criteria with their weights, constraints, and the hexes."""

    criteria: list[Criterion] = Field(
        ..., title="Criteria", min_length=1, max_length=10,
        json_schema_extra={"title_vi": "Các tiêu chí", "format": "rows"},
    )  # fmt: skip
    constraints: list[Constraint] = Field(
        [], title="Constraints", max_length=10,
        json_schema_extra={"title_vi": "Các ràng buộc", "format": "rows"},
    )  # fmt: skip
    judgements: list[list[float]] | None = Field(
        None,
        title="Pairwise judgements (AHP), in place of weights: a square matrix",
        max_length=10,
        json_schema_extra={
            "title_vi": "Ma trận so sánh cặp (AHP), thay cho trọng số",
            "format": "json",
        },
    )
    least_score: float = parameter(
        0, "Chỉ những ô có điểm từ", "Only hexes that score at least", ge=0, le=1
    )
    areas: LayerInput = parameter(LayerInput(layer="communes"), "Trong các vùng", "Within areas")
    resolution: int = parameter(8, "Độ phân giải H3", "H3 resolution", ge=5, le=10)

    @model_validator(mode="after")
    def _square(self) -> Self:
        size = len(self.criteria)
        if self.judgements is not None and (
            len(self.judgements) != size or any(len(row) != size for row in self.judgements)
        ):
            raise ValueError(f"`judgements` has a row and a column for each of {size} criteria")
        if self.judgements is None and not sum(each.weight for each in self.criteria):
            raise ValueError("all weights are 0: give one above it")
        return self


class Suitability(Process[SuitabilityParameters]):
    """Weighted sum of criteria by hex, with the contribution of each."""

    name = "suitability"
    title = LocalizedText(vi="Đánh giá mức phù hợp", en="Suitability")
    description = LocalizedText(
        vi="Chấm điểm từng ô lục giác theo các tiêu chí có trọng số (cho trực tiếp, hoặc từ so "
        "sánh cặp AHP kèm tỷ số nhất quán) và các ràng buộc; ghi đóng góp của từng tiêu chí.",
        en="Scores hexes by weighted criteria (weights given, or from pairwise judgements, AHP, "
        "with their consistency ratio) and constraints; says what each criterion contributes.",
    )
    parameters = SuitabilityParameters
    is_light = False
    examples = (
        {"criteria": [
            {"layer": "citizen_reports", "measure": "count", "worst": 0, "best": 5, "weight": 2},
            {"layer": "landslides", "measure": "distance", "worst": 0, "best": 5000},
        ]},
    )  # fmt: skip

    def run(self, context: Context, parameters: SuitabilityParameters) -> NewCollection:
        cells, centres = hexes_within(context, parameters.areas, parameters.resolution)
        zones = hex_zones(cells, centres)
        weights, consistency = _weights(parameters)
        values = np.column_stack([
            measured(context, each, zones, parameters.resolution) for each in parameters.criteria
        ])  # fmt: skip
        context.report(0.6, f"{len(cells)} hexes")
        worst = np.array([each.worst for each in parameters.criteria])
        best = np.array([each.best for each in parameters.criteria])
        parts = contributions(values, worst, best, weights)
        score = parts.sum(axis=1)
        allowed = np.ones(len(cells), bool)
        for constraint in parameters.constraints:
            allowed &= _meets(context, constraint, zones)
        kept = np.flatnonzero(allowed & (score >= parameters.least_score))
        columns = {"score": Column(number("Điểm", "Score", "1"), score[kept])}
        for at, each in enumerate(parameters.criteria):
            title = f"{each.layer.layer} ({each.measure})"
            columns |= {
                f"part_{at + 1}": Column(
                    number(f"Đóng góp: {title}", f"Contribution: {title}", "1"), parts[kept, at]
                ),
                f"value_{at + 1}": Column(
                    number(f"Giá trị: {title}", f"Value: {title}"), values[kept, at]
                ),
            }
        summary = {
            "hexes": len(cells), "excluded": int((~allowed).sum()),
            "below_least_score": int((allowed & (score < parameters.least_score)).sum()),
            "weights": [float(each) for each in weights], **consistency,
        }  # fmt: skip
        return zonal_collection(hex_zones(cells[kept], centres[kept]), columns, summary, "score")


def contributions(values: Floats, worst: Floats, best: Floats, weights: Floats) -> Floats:
    """Weighted scores of cells × criteria: linear from worst (0) to best (1), flat beyond.

    Weights sum to 1, so that the rows' sums lie from 0 to 1; a value that is not known scores 0.
    """
    parts = (values - worst) / (best - worst)
    np.clip(parts, 0, 1, out=parts)
    np.nan_to_num(parts, copy=False)
    parts *= weights
    return parts


def ahp(judgements: Floats) -> tuple[Floats, float]:
    """Weights of reciprocal pairwise judgements, and their consistency ratio (Saaty 1980).

    The principal eigenvector; below 0.1 judgements are taken to be consistent. Raises BadInput for
    a matrix that is not reciprocal.
    """
    size = len(judgements)
    if (judgements <= 0).any() or not np.allclose(judgements * judgements.T, 1, rtol=1e-3):
        raise BadInput("`judgements` is reciprocal: a[i][j] is 1 / a[j][i], and above 0")
    values, vectors = np.linalg.eig(judgements)
    largest = int(values.real.argmax())
    weights = np.abs(vectors[:, largest].real)
    index = (values[largest].real - size) / (size - 1) if size > 1 else 0.0
    ratio = index / RANDOM_INDEX[size] if RANDOM_INDEX[size] else 0.0
    return weights / weights.sum(), float(max(ratio, 0.0))


def _weights(parameters: SuitabilityParameters) -> tuple[Floats, dict[str, Any]]:
    if parameters.judgements is None:
        given = np.array([each.weight for each in parameters.criteria], float)
        return given / given.sum(), {}
    weights, ratio = ahp(np.array(parameters.judgements, float))
    return weights, {"consistency_ratio": ratio, "consistent": ratio < 0.1}


def measured(context: Context, criterion: Criterion, zones: Zones, resolution: int) -> Floats:
    """The value of a criterion for each hex: NaN where it is not known."""
    cells, centres = zones.cells, zones.centres
    assert cells is not None
    if criterion.measure in ("raster", "slope"):
        return raster_values(context, _raster(criterion.layer), zones, criterion.measure)
    if criterion.measure == "distance":
        return _distance(context, criterion.layer, centres)
    source = context.source(criterion.layer, (GeometryKind.POINT,))
    field = criterion.field
    if field is not None:
        context.numeric(source, field)
    rows = context.rows(criterion.layer, GeometryKind.POINT, names=[field] if field else [])
    columns = [func.ST_X(rows.c.geom), func.ST_Y(rows.c.geom)]
    value: list[ColumnElement[Any]] = [cast(rows.c[field], Double())] if field else []
    found = context.connection.execute(select(*columns, *value)).all()
    import h3ronpy.vector

    table = np.array([tuple(row) for row in found], float).reshape(len(found), -1)
    counts, sums = np.zeros(len(cells)), np.zeros(len(cells))
    if len(found):
        at = np.asarray(h3ronpy.vector.coordinates_to_cells(table[:, 1], table[:, 0], resolution))
        hits = np.searchsorted(cells, at.astype(np.int64))
        hits = np.clip(hits, 0, len(cells) - 1)
        known = cells[hits] == at.astype(np.int64)
        if field:
            known &= np.isfinite(table[:, 2])
            np.add.at(sums, hits[known], table[known, 2])
        np.add.at(counts, hits[known], 1)
    if field is None:
        return counts
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _distance(context: Context, given: LayerInput, centres: Floats) -> Floats:
    """Metres from each centre to the nearest item, in VN-2000; NaN where there is none."""
    import pyproj
    import shapely

    rows = context.rows(given, names=[])
    found = context.connection.execute(
        select(func.ST_AsBinary(func.ST_Transform(rows.c.geom, 9208)))
    ).scalars()
    shapes = shapely.from_wkb(np.array([bytes(each) for each in found], dtype=object))
    if not len(shapes):
        return np.full(len(centres), np.nan)
    to_plane = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:9208", always_xy=True)
    points = shapely.points(np.column_stack(to_plane.transform(centres[:, 0], centres[:, 1])))
    tree = shapely.STRtree(shapes)
    (asked, _), metres = tree.query_nearest(points, return_distance=True, all_matches=False)
    values = np.full(len(centres), np.nan)
    values[asked] = metres
    return values


def _raster(given: LayerInput) -> RasterInput:
    return RasterInput(layer=given.layer, datetime=given.datetime)


def _meets(context: Context, constraint: Constraint, zones: Zones) -> npt.NDArray[np.bool_]:
    """By the centre of a hex; of a raster, by its value in the hex, which has to be known."""
    import shapely

    centres = zones.centres
    if constraint.value is not None:
        found = raster_values(context, _raster(constraint.layer), zones, constraint.measure)
        with np.errstate(invalid="ignore"):
            above, below = found > constraint.value, found < constraint.value
        return above if constraint.must == "above" else below
    if constraint.must in ("near", "not_near"):
        assert constraint.distance_m is not None
        metres = _distance(context, constraint.layer, centres)
        near = np.nan_to_num(metres, nan=np.inf) <= constraint.distance_m
        return near if constraint.must == "near" else ~near
    rows = context.rows(constraint.layer, GeometryKind.POLYGON, names=[])
    wkb = context.connection.execute(select(func.ST_AsBinary(rows.c.geom))).scalars()
    shapes = shapely.from_wkb(np.array([bytes(each) for each in wkb], dtype=object))
    inside = np.zeros(len(centres), bool)
    if len(shapes):
        hits = shapely.STRtree(shapes).query(shapely.points(centres), predicate="intersects")
        inside[np.unique(hits[0])] = True
    return inside if constraint.must == "within" else ~inside
