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
    graduated,
    number,
    parameter,
    words,
)

Floats = npt.NDArray[np.float64]
MOST_CELLS = 200_000
# Mean consistency index of random judgements, by the number of criteria (Saaty 1980).
RANDOM_INDEX = (0.0, 0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49)


class Criterion(Parameters):
    """What of a layer counts, and from which value to which it goes from 0 to 1."""

    layer: LayerInput = parameter(..., "Lớp dữ liệu", "Layer")
    measure: Literal["distance", "count", "mean"] = parameter(
        "distance", "Đo bằng", "Measure",
        extra={"labels_vi": {"distance": "khoảng cách gần nhất (m)", "count": "số đối tượng",
                             "mean": "trung bình của trường"}},
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
        return self


class Constraint(Parameters):
    """Where a hex may not be, however well it scores: by its centre."""

    layer: LayerInput = parameter(..., "Lớp dữ liệu", "Layer")
    must: Literal["within", "outside", "near", "not_near"] = parameter(
        "outside", "Phải", "Must be",
        extra={"labels_vi": {"within": "nằm trong", "outside": "nằm ngoài", "near": "ở gần",
                             "not_near": "ở xa"}},
    )  # fmt: skip
    distance_m: Metres | None = parameter(None, "Khoảng cách (m)", "Distance (m)")

    @model_validator(mode="after")
    def _has_distance(self) -> Self:
        if (self.must in ("near", "not_near")) != (self.distance_m is not None):
            raise ValueError("`distance_m` is for `near` and `not_near`, which need it")
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
        import shapely

        from gis.hexes import boundaries

        cells, centres = _cells(context, parameters)
        weights, consistency = _weights(parameters)
        values = np.column_stack([
            measured(context, each, cells, centres, parameters.resolution)
            for each in parameters.criteria
        ])  # fmt: skip
        context.report(0.6, f"{len(cells)} hexes")
        worst = np.array([each.worst for each in parameters.criteria])
        best = np.array([each.best for each in parameters.criteria])
        parts = contributions(values, worst, best, weights)
        allowed = np.ones(len(cells), bool)
        for constraint in parameters.constraints:
            allowed &= _meets(context, constraint, centres)
        kept = np.flatnonzero(allowed)
        score = parts.sum(axis=1)
        order = kept[np.argsort(-score[kept], kind="stable")]
        shapes = shapely.to_wkb(boundaries(cells[order]))
        fields = {
            "cell": words("Ô lục giác H3", "H3 cell"),
            "score": number("Điểm", "Score", "1"),
        }
        for at, each in enumerate(parameters.criteria, 1):
            title = f"{each.layer.layer} ({each.measure})"
            fields[f"part_{at}"] = number(f"Đóng góp: {title}", f"Contribution: {title}", "1")
            fields[f"value_{at}"] = number(f"Giá trị: {title}", f"Value: {title}")
        rows = []
        for place, at in enumerate(order):
            row: dict[str, Any] = {"cell": f"{int(cells[at]):x}", "score": float(score[at])}
            for column in range(values.shape[1]):
                value = values[at, column]
                row[f"part_{column + 1}"] = float(parts[at, column])
                row[f"value_{column + 1}"] = float(value) if np.isfinite(value) else None
            rows.append((shapes[place], row))
        summary = {
            "hexes": len(cells), "excluded": int((~allowed).sum()),
            "weights": [float(each) for each in weights], **consistency,
        }  # fmt: skip
        style = graduated("score", [0, 0.2, 0.4, 0.6, 0.8], outline=None)
        return NewCollection(GeometryKind.POLYGON, fields, rows, summary, style)


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


def _cells(
    context: Context, parameters: SuitabilityParameters
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Hexes whose centres lie in the areas, sorted, and these centres (degrees)."""
    import h3ronpy.vector
    import shapely

    areas = context.rows(parameters.areas, GeometryKind.POLYGON, names=[])
    found = context.connection.execute(
        select(func.ST_AsBinary(func.ST_Union(areas.c.geom)))
    ).scalar()
    if found is None:
        raise BadInput("there is no area: the layer has none that meets the filter")
    outline = shapely.from_wkb(bytes(found))
    edge_km = {5: 253, 6: 36, 7: 5.2, 8: 0.74, 9: 0.105, 10: 0.015}[parameters.resolution]
    rough_km2 = outline.area * 111.3 * 111.3 * np.cos(np.radians(outline.centroid.y))
    if rough_km2 / edge_km > MOST_CELLS * 1.2:
        raise BadInput(
            f"there would be more than {MOST_CELLS:,} hexes: choose a coarser resolution"
        )
    cells = np.unique(np.asarray(h3ronpy.vector.geometry_to_cells(outline, parameters.resolution),
                                 np.uint64))  # fmt: skip
    centres = h3ronpy.vector.cells_to_coordinates(cells)
    places = np.column_stack([np.asarray(centres["lng"]), np.asarray(centres["lat"])])
    return cells.astype(np.int64), places


def measured(
    context: Context,
    criterion: Criterion,
    cells: npt.NDArray[np.int64],
    centres: Floats,
    resolution: int,
) -> Floats:
    """The value of a criterion for each hex: NaN where it is not known."""
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


def _meets(context: Context, constraint: Constraint, centres: Floats) -> npt.NDArray[np.bool_]:
    import shapely

    if constraint.must in ("near", "not_near"):
        assert constraint.distance_m is not None
        metres = _distance(context, constraint.layer, centres)
        near = np.nan_to_num(metres, nan=np.inf) <= constraint.distance_m
        return near if constraint.must == "near" else ~near
    rows = context.rows(constraint.layer, GeometryKind.POLYGON, names=[])
    found = context.connection.execute(select(func.ST_AsBinary(rows.c.geom))).scalars()
    shapes = shapely.from_wkb(np.array([bytes(each) for each in found], dtype=object))
    inside = np.zeros(len(centres), bool)
    if len(shapes):
        hits = shapely.STRtree(shapes).query(shapely.points(centres), predicate="intersects")
        inside[np.unique(hits[0])] = True
    return inside if constraint.must == "within" else ~inside
