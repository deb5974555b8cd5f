"""The map: hexes with significantly many records in a window (Gi*, exact p). For planning."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis import hex_hotspots
from layers.definition.model import HotspotOptions, LocalMoranOptions
from layers.detect.messages import map_message
from layers.detect.observations import Observations, sharp

Cells = npt.NDArray[np.uint64]
MapOptions = HotspotOptions | LocalMoranOptions


def map_input(
    records: Observations,
    domain: Cells,
    options: MapOptions,
    until: datetime,
    exposure: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Sums by hex over the window: cell, count; zeros of the whole domain included.

    With an `exposure` (cell, count) a column `exposure`, and its hexes are of the domain too.
    """
    rows = sharp(records.rows)
    rows = rows[rows["happened_at"] > until - timedelta(days=options.window_days)]
    hexes = parents_of(rows, options.resolution).astype(np.int64)
    sums = rows["amount"].groupby(hexes).sum()
    exposed = None if exposure is None else exposure.set_index("cell")["count"]
    columns = {"count": sums} if exposed is None else {"count": sums, "exposure": exposed}
    known = [one.index.to_numpy(np.int64) for one in columns.values()]
    cells = pd.Index(np.unique(np.concatenate([domain.astype(np.int64), *known])), name="cell")
    told = {name: one.reindex(cells, fill_value=0) for name, one in columns.items()}
    return pd.DataFrame(told, index=cells).astype({"count": np.int64}).reset_index()


def hot_hexes(frame: pd.DataFrame, options: HotspotOptions) -> list[dict[str, object]]:
    """The significant hexes, each as it is stored, in the order of cells."""
    cells = frame["cell"].to_numpy(np.uint64)
    exposure = frame["exposure"].to_numpy(float) if "exposure" in frame else None
    found = hex_hotspots(
        cells,
        frame["count"].to_numpy(),
        k=options.disk,
        alpha=options.alpha,
        exposure=exposure,
    )
    hot = found[found["hot"]].rename(columns={"k": "hexes"})
    return [_row(one, options) for one in hot.to_dict("records")]


def parents_of(rows: pd.DataFrame, resolution: int) -> Cells:
    """The hex of each record, by the layout of an H3 index (see gis.h3_parent)."""
    cells = rows["h3"].to_numpy(np.uint64)
    kept = cells & ~(np.uint64(15) << np.uint64(52)) | np.uint64(resolution << 52)
    return np.asarray(kept | np.uint64((1 << (3 * (15 - resolution))) - 1), np.uint64)


def _row(one: Mapping[Any, Any], options: HotspotOptions) -> dict[str, object]:
    vi, en = map_message(
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
