"""The map: hexes with significantly many records in a window (Gi*, exact p). For planning."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis import hex_hotspots
from layers.model import HotspotOptions
from layers.runs.records import Records, sharp
from layers.runs.words import map_words

Cells = npt.NDArray[np.uint64]


def map_input(
    records: Records, domain: Cells, options: HotspotOptions, until: datetime
) -> pd.DataFrame:
    """Counts by hex over the window: cell, count; zeros of the whole domain included."""
    rows = sharp(records.rows)
    inside = rows["happened_at"] > until - timedelta(days=options.window_days)
    return counted(parents_of(rows[inside], options.resolution), domain)


def hot_hexes(frame: pd.DataFrame, options: HotspotOptions) -> list[dict[str, object]]:
    """The significant hexes, each as it is stored, in the order of cells."""
    cells = frame["cell"].to_numpy(np.uint64)
    found = hex_hotspots(cells, frame["count"].to_numpy(), k=options.disk, alpha=options.alpha)
    hot = found[found["hot"]].rename(columns={"k": "hexes"})
    return [_row(one, options) for one in hot.to_dict("records")]


def parents_of(rows: pd.DataFrame, resolution: int) -> Cells:
    """The hex of each record, by the layout of an H3 index (see gis.h3_parent)."""
    cells = rows["h3"].to_numpy(np.uint64)
    kept = cells & ~(np.uint64(15) << np.uint64(52)) | np.uint64(resolution << 52)
    return np.asarray(kept | np.uint64((1 << (3 * (15 - resolution))) - 1), np.uint64)


def counted(hexes: Cells, domain: Cells) -> pd.DataFrame:
    """How many records each hex has; sorted by cell."""
    seen, counts = np.unique(hexes, return_counts=True)
    cells = np.union1d(domain, seen)
    values = np.zeros(len(cells), np.int64)
    values[np.searchsorted(cells, seen)] = counts
    return pd.DataFrame({"cell": cells.astype(np.int64), "count": values})


def _row(one: Mapping[Any, Any], options: HotspotOptions) -> dict[str, object]:
    vi, en = map_words(
        int(one["neighbours_count"]), float(one["expected"]), options.window_days, float(one["q"])
    )
    return {
        "cell": int(one["cell"]),
        "count": int(one["count"]),
        "neighbours_count": int(one["neighbours_count"]),
        "expected": float(one["expected"]),
        "z": None if np.isnan(one["z"]) else float(one["z"]),
        "p": float(one["p"]),
        "q": float(one["q"]),
        "edge": bool(one["edge"]),
        "explanation_vi": vi,
        "explanation_en": en,
    }
