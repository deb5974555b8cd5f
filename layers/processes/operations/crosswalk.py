"""Crosswalk: figures of old wards or districts as figures of communes, and the reverse."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from sqlalchemy import text

from gis.boundaries.package_units import REFORM
from gis.boundaries.units import Level, UnitHistory
from gis.clock import today
from gis.errors import BadInput
from layers.definition.model import GeometryKind, LocalizedText
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    boolean,
    number,
    parameter,
    words,
)

Floats = npt.NDArray[np.float64]
Kind = Literal["ward", "district", "commune"]
Weight = Literal["area", "population", "equal", "points"]
LAST_DAY = REFORM - timedelta(days=1)
_KINDS = {"ward": "phường, xã cũ", "district": "huyện cũ", "commune": "phường, xã hiện nay"}


class CrosswalkParameters(Parameters):
    """Figures by unit, and the units that they are wanted for."""

    values: dict[str, float] = Field(
        ...,
        title="Figures, by code of unit",
        min_length=1,
        max_length=20_000,
        json_schema_extra={"title_vi": "Số liệu theo mã đơn vị", "format": "values"},
    )
    from_units: Kind = parameter("ward", "Số liệu của", "Figures of", extra={"labels_vi": _KINDS})
    to_units: Kind = parameter("commune", "Chuyển sang", "Wanted for", extra={"labels_vi": _KINDS})
    weight: Weight = parameter(
        "population", "Chia theo", "Shared by",
        extra={"labels_vi": {"area": "diện tích", "population": "dân số", "equal": "đều nhau",
                             "points": "số điểm của một lớp"}},
    )  # fmt: skip
    points: LayerInput | None = parameter(None, "Lớp điểm", "Layer of points")
    measure: Literal["count", "rate"] = parameter(
        "count", "Loại số liệu", "Kind of figure",
        extra={"labels_vi": {"count": "số lượng (cộng được)", "rate": "tỷ lệ (trung bình)"}},
    )  # fmt: skip

    @model_validator(mode="after")
    def _two_kinds(self) -> Self:
        if self.from_units == self.to_units:
            raise ValueError("`from_units` and `to_units` are the same")
        if (self.weight == "points") != (self.points is not None):
            raise ValueError("`points` is the layer for `weight: points`, and for no other")
        return self


class Crosswalk(Process[CrosswalkParameters]):
    """Figures carried between units of before and after 1 July 2025, by lineage."""

    name = "crosswalk"
    title = LocalizedText(vi="Chuyển số liệu cũ – mới", en="Crosswalk of old and new units")
    description = LocalizedText(
        vi="Số liệu theo phường, xã hoặc huyện trước ngày 1/7/2025 chuyển sang phường, xã hiện "
        "nay, và ngược lại, theo lịch sử sáp nhập. Tổng được giữ nguyên và ghi rõ; nơi phải "
        "chia thì có cận dưới và cận trên.",
        en="Figures by ward or district of before 1 July 2025 as figures by commune of today, and "
        "the reverse, by lineage. Totals are preserved and shown; where a unit had to be shared "
        "out, there is a lower and an upper bound.",
    )
    parameters = CrosswalkParameters
    is_light = False
    examples = ({"values": {"02635": 120.0, "02644": 80.0},
                 "weight": "equal"},)  # fmt: skip

    def run(self, context: Context, parameters: CrosswalkParameters) -> NewCollection:
        from gis.boundaries.store import read_history

        history = read_history(context.connection)
        sizes = _sizes(context, parameters, history)
        table = shares(
            history, parameters.from_units, parameters.to_units, parameters.weight, sizes
        )
        unknown = [code for code in parameters.values if code not in table.row]
        if unknown:
            raise BadInput(
                f"{', '.join(unknown[:5])} {'is' if len(unknown) == 1 else 'are'} no code of a "
                f"{parameters.from_units} with a lineage: {len(table.sources)} are known, such as "
                f"{', '.join(table.sources[:3])}"
            )
        values = np.array([parameters.values.get(code, 0.0) for code in table.sources])
        given = np.array([code in parameters.values for code in table.sources])
        found = carried(table, values, given, parameters.measure)
        names, shapes = _units(context, parameters.to_units)
        rows = []
        for at, code in enumerate(table.targets):
            if not found.touched[at]:
                continue
            rows.append((shapes.get(code), {
                "code": code, "name": names.get(code, ""), "value": float(found.values[at]),
                "low": float(found.low[at]), "high": float(found.high[at]),
                "estimated": bool(found.high[at] - found.low[at] > 1e-12),
                "complete": bool(found.complete[at]),
            }))  # fmt: skip
        before, after = float(values.sum()), float(found.values.sum())
        summary: dict[str, Any] = {"measure": parameters.measure, "weight": parameters.weight}
        if parameters.measure == "count":
            summary |= {"total_before": before, "total_after": after, "difference": after - before}
        has_shapes = bool(rows) and all(shape is not None for shape, _ in rows)
        if not has_shapes:
            rows = [(None, properties) for _, properties in rows]
        kind = GeometryKind.POLYGON if has_shapes else GeometryKind.NONE
        fields = {
            "code": words("Mã đơn vị", "Unit code"),
            "name": words("Tên", "Name"),
            "value": number("Giá trị", "Value"),
            "low": number("Cận dưới", "Lower bound"),
            "high": number("Cận trên", "Upper bound"),
            "estimated": boolean("Ước tính", "Estimated"),
            "complete": boolean("Đủ số liệu", "All its parts were given"),
        }
        return NewCollection(kind, fields, rows, summary)


@dataclass(frozen=True)
class Shares:
    """Shares of each source in each target: `matrix` is sources × targets, and each row sums to 1.

    `sizes` of sources, by which rates are weighted.
    """

    sources: list[str]
    targets: list[str]
    matrix: Floats
    sizes: Floats

    @property
    def row(self) -> dict[str, int]:
        return {code: at for at, code in enumerate(self.sources)}


@dataclass(frozen=True)
class Carried:
    """Figures of targets with their bounds; `complete`: all that each is made of was given."""

    values: Floats
    low: Floats
    high: Floats
    touched: npt.NDArray[np.bool_]
    complete: npt.NDArray[np.bool_]


def shares(
    history: UnitHistory, source: Kind, target: Kind, weight: Weight, sizes: Mapping[str, float]
) -> Shares:
    """How the units of one kind lie in those of another, by the lineage of 1 July 2025.

    Old wards are the common parts of all: a share is that of the wards' sizes (by `sizes`, code of
    ward: size) and, where a ward was divided, of its published share of area or population.
    """
    parts = _parts(history, weight)
    wards = {unit.code: unit for unit in history.on(LAST_DAY, Level.COMMUNE)}

    def unit_of(kind: Kind, ward: str, commune: str) -> str | None:
        if kind == "commune":
            return commune
        return ward if kind == "ward" else (wards[ward].parent if ward in wards else None)

    amounts: dict[tuple[str, str], float] = {}
    for (ward, commune), share in parts.items():
        one, other = unit_of(source, ward, commune), unit_of(target, ward, commune)
        if one is not None and other is not None:
            size = max(sizes.get(ward, 0.0), 1e-12) * share  # a ward without points still goes on
            amounts[one, other] = amounts.get((one, other), 0.0) + size
    sources = sorted({one for one, _ in amounts})
    targets = sorted({other for _, other in amounts})
    row = {code: at for at, code in enumerate(sources)}
    column = {code: at for at, code in enumerate(targets)}
    matrix = np.zeros((len(sources), len(targets)))
    for (one, other), size in amounts.items():
        matrix[row[one], column[other]] = size
    totals = matrix.sum(axis=1)
    return Shares(sources, targets, matrix / totals[:, None], totals)


def carried(table: Shares, values: Floats, given: npt.NDArray[np.bool_], measure: str) -> Carried:
    """Figures of sources as figures of targets. Counts are shared out, rates are averaged.

    `values` has a figure for each source; of counts there may be a row for each indicator.

    Bounds of a count: what certainly lies in the target, because its unit lies wholly in it, and
    all that may; of a rate, the least and the greatest of its parts.
    """
    matrix = table.matrix * given[:, None]
    part = matrix > 0
    touched = part.any(axis=0)
    complete = ((table.matrix > 0) & ~given[:, None]).sum(axis=0) == 0
    if measure == "count":
        may, certain = part.astype(float), (part & (table.matrix > 1 - 1e-12)).astype(float)
        losses, gains = np.minimum(values, 0), np.maximum(values, 0)
        low, high = losses @ may + gains @ certain, gains @ may + losses @ certain
        return Carried(values @ matrix, low, high, touched, complete)
    weights = matrix * table.sizes[:, None]
    sums = weights.sum(axis=0)
    means = (values @ weights) / np.where(sums > 0, sums, 1)
    low = np.where(touched, np.where(part, values[:, None], np.inf).min(axis=0), 0)
    high = np.where(touched, np.where(part, values[:, None], -np.inf).max(axis=0), 0)
    return Carried(means, low, high, touched, complete)


def _parts(history: UnitHistory, weight: Weight) -> dict[tuple[str, str], float]:
    """Share of each old ward in each commune of today; those of a ward add up to 1."""
    found: dict[tuple[str, str], float] = {}
    wards = {unit.code for unit in history.on(LAST_DAY, Level.COMMUNE)}
    changed = set()
    for change in history.changes:
        if change.on != REFORM or change.old not in wards:
            continue
        changed.add(change.old)
        share = change.share_population if weight == "population" else change.share_area
        found[change.old, change.new] = found.get((change.old, change.new), 0.0) + share
    communes = {unit.code for unit in history.on(today(), Level.COMMUNE)}
    found |= {(code, code): 1.0 for code in wards & communes if code not in changed}
    totals: dict[str, float] = {}
    for (ward, _), share in found.items():
        totals[ward] = totals.get(ward, 0.0) + share
    return {key: share / totals[key[0]] for key, share in found.items() if totals[key[0]] > 0}


def _sizes(
    context: Context, parameters: CrosswalkParameters, history: UnitHistory
) -> dict[str, float]:
    """The size of each old ward, by which those that make up one unit are weighted.

    Populations of old wards are not published with the lineage: their areas stand for them, but
    for the shares within a divided ward, which are of people.
    """
    wards = list(history.on(LAST_DAY, Level.COMMUNE))
    if parameters.weight == "equal":
        return {unit.code: 1.0 for unit in wards}
    if parameters.weight == "points":
        assert parameters.points is not None
        source = context.source(parameters.points, (GeometryKind.POINT,))
        if "unit_then" not in source.by_name:
            raise BadInput(f"the points of {source.layer.id} are not placed in units")
        rows = context.rows(parameters.points, names=["unit_then"])
        from sqlalchemy import func, select

        counted = select(rows.c.unit_then, func.count()).group_by(rows.c.unit_then)
        return {code: float(n) for code, n in context.connection.execute(counted) if code}
    known = [unit.area_km2 for unit in wards if unit.area_km2]
    mean = sum(known) / len(known) if known else 1.0
    return {unit.code: unit.area_km2 or mean for unit in wards}


_NOW = "(valid_to IS NULL OR valid_to > gis.today())"
_THEN = "valid_to = CAST(:reform AS date)"


def _units(context: Context, kind: Kind) -> tuple[dict[str, str], dict[str, bytes]]:
    level = "district" if kind == "district" else "commune"
    rows = context.connection.execute(
        text(
            "SELECT code, full_name, ST_AsBinary(geom) AS shape FROM gis.admin_unit"  # noqa: S608
            f" WHERE level = :level AND {_NOW if kind == 'commune' else _THEN}"
        ),
        {"level": level, "reform": REFORM} if kind != "commune" else {"level": level},
    ).all()
    names = {row.code: row.full_name for row in rows}
    return names, {row.code: bytes(row.shape) for row in rows if row.shape is not None}
