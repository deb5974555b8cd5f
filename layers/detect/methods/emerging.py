"""Emerging hot spots: how each hex became hot or cold over equal steps of time. For planning."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis import disk_matrix, emerging_hot_spots
from gis.analysis.weights import disk_size
from layers.definition.model import EmergingOptions
from layers.detect.messages import emerging_message
from layers.detect.methods.gi_star import parents_of
from layers.detect.observations import Observations, day_numbers, sharp

Cells = npt.NDArray[np.uint64]
LEAST_STEPS = 8  # fewer say nothing of a trend


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
    weights = disk_matrix(cells, options.disk)
    edge = np.asarray(weights.sum(axis=1)).ravel() < disk_size(options.disk)
    found = emerging_hot_spots(counts, weights, edge=edge)
    found = found.assign(cell=cells, total=counts.sum(axis=1))
    classed = found[found["category"] != "none"]
    return [_row(one, steps, options) for one in classed.to_dict("records")]


def _row(one: Mapping[Any, Any], steps: int, options: EmergingOptions) -> dict[str, object]:
    hot, cold = (round(one[name] * steps) for name in ("hot_share", "cold_share"))
    category, trend, p = one["category"], int(one["trend"]), float(one["trend_p"])
    told = hot if category.startswith("hot") else cold
    vi, en = emerging_message(category, told, steps, options.step_days, trend, p)
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
