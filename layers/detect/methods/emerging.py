"""Emerging hot spots: how each hex became hot or cold over equal steps of time. For planning."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis import analysis
from layers.definition.model import EmergingOptions, LocalizedText
from layers.detect.messages import decimal_comma, p_text
from layers.detect.method import HexMethod, LatestRun, Rows, RunContext, value_label
from layers.detect.observations import Observations, day_number, day_numbers, parents_of, sharp

Cells = npt.NDArray[np.uint64]
LEAST_STEPS = 8  # fewer say nothing of a trend


class Emerging(HexMethod[EmergingOptions]):
    """Hexes by how they became hot or cold."""

    name = "emerging"
    label = LocalizedText(vi="diễn biến điểm nóng", en="emerging hot spots")
    options = EmergingOptions
    results = "emerging"
    result_layer = "emerging"
    compared = (
        "cell", "category", "count", "steps", "hot_steps", "cold_steps", "last_run", "z",
        "trend_p", "trend",
    )  # fmt: skip

    def is_due(self, options: EmergingOptions, latest: LatestRun, now: datetime) -> bool:
        """Once a step, however the rows change."""
        return day_number(now) - day_number(latest.until) >= options.step_days

    def read(
        self, context: RunContext, options: EmergingOptions
    ) -> tuple[Observations, pd.DataFrame]:
        records = context.records((options.steps + 1) * options.step_days)
        domain = context.territory.cells(options.resolution)
        return records, emerging_input(records, domain, options, day_number(context.until))

    def find(self, frame: pd.DataFrame, options: EmergingOptions) -> Rows:
        return emerging_hexes(frame, options)


def emerging_input(
    records: Observations, domain: Cells, options: EmergingOptions, today: int
) -> pd.DataFrame:
    """Counts by hex and step: cell, step (0 is the newest), count; whole days before `today`.

    The steps begin with the first record, so that the time before there were any is no cold one;
    each hex of the domain stands at step 0 at least.
    """
    rows = sharp(records.rows)
    ago = today - 1 - day_numbers(rows["happened_at"])
    steps = min(options.steps, int(ago.max(initial=-1) + 1) // options.step_days)
    step = ago // options.step_days
    inside = (ago >= 0) & (step < steps)
    found = pd.DataFrame(
        {
            "cell": parents_of(rows[inside], options.resolution).astype(np.int64),
            "step": step[inside],
            "count": 1,
        }
    )
    zeros = pd.DataFrame({"cell": domain.astype(np.int64), "step": 0, "count": 0})
    last = pd.DataFrame({"cell": domain[:1].astype(np.int64), "step": steps - 1, "count": 0})
    together = pd.concat([zeros, last[last["step"] >= 0], found])
    return together.groupby(["cell", "step"])["count"].sum().reset_index()


def emerging_hexes(frame: pd.DataFrame, options: EmergingOptions) -> list[dict[str, object]]:
    """The hexes that have a class, each as it is stored; none where there are too few steps."""
    steps = int(frame["step"].max()) + 1 if len(frame) else 0
    if steps < LEAST_STEPS:
        return []
    cells, row = np.unique(frame["cell"].to_numpy(np.uint64), return_inverse=True)
    counts = np.zeros((len(cells), steps), np.int64)
    counts[row.ravel(), steps - 1 - frame["step"].to_numpy()] = frame["count"]
    from gis.analysis.weights import disk_size

    weights = analysis.disk_matrix(cells, options.disk)
    edge = np.asarray(weights.sum(axis=1)).ravel() < disk_size(options.disk)
    found = analysis.emerging_hot_spots(counts, weights, edge=edge)
    found = found.assign(cell=cells, total=counts.sum(axis=1))
    classed = found[found["category"] != "none"]
    return [_row(one, steps, options) for one in classed.to_dict("records")]


def _row(one: Mapping[Any, Any], steps: int, options: EmergingOptions) -> dict[str, object]:
    hot, cold = (round(one[name] * steps) for name in ("hot_share", "cold_share"))
    category, trend, p = one["category"], int(one["trend"]), float(one["trend_p"])
    marked = hot if category.startswith("hot") else cold
    vi, en = emerging_message(category, marked, steps, options.step_days, trend, p)
    return {
        "cell": int(one["cell"]),
        "category": category,
        "count": int(one["total"]),
        "steps": steps,
        "hot_steps": hot,
        "cold_steps": cold,
        "last_run": int(one["last_run"]),
        "z": float(one["z"]),
        "trend_p": p,
        "trend": trend,
        "explanation_vi": vi,
        "explanation_en": en,
    }


def emerging_message(
    category: str, marked: int, steps: int, step_days: int, trend: int, p: float
) -> tuple[str, str]:
    """Of a hex's history: `marked` of its `steps` were hot (or cold)."""
    label = value_label("emerging", "category", category)
    vi_step, en_step = ("tuần", "weeks") if step_days == 7 else (f"kỳ {step_days} ngày", "steps")
    vi_trend, en_trend = {1: ("tăng", "up"), 0: ("không rõ", "none"), -1: ("giảm", "down")}[trend]
    return (
        f"{label.vi}: {marked}/{steps} {vi_step}; xu thế {vi_trend} (p {decimal_comma(p_text(p))})",
        f"{label.en}: {marked} of {steps} {en_step}; trend {en_trend} (p {p_text(p)})",
    )
