"""The map: hexes with significantly many records in a window (Gi*, exact p). For planning."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import text

from gis import analysis
from gis.errors import BadInput
from gis.text import number_en, number_vi
from layers.definition.model import POPULATION, HotspotOptions, LocalizedText, LocalMoranOptions
from layers.detect.messages import days_en, decimal_comma, p_text, reports_en
from layers.detect.method import HexMethod, Rows, RunContext
from layers.detect.observations import Observations, parents_of, read_exposure, sharp

Cells = npt.NDArray[np.uint64]
MapOptions = HotspotOptions | LocalMoranOptions
MAP_PAUSE = timedelta(minutes=10)  # a map of 30 days changes little with one record


class GiStar(HexMethod[HotspotOptions]):
    """Hexes with significantly many records in them and around them."""

    name = "gi_star"
    label = LocalizedText(vi="điểm nóng", en="hotspots")
    options = HotspotOptions
    section = ""  # `hotspots` itself
    results = "hotspot"
    result_layer = "hotspots"
    pause = MAP_PAUSE
    compared = ("cell", "count", "neighbours_count", "expected", "z", "p", "q", "edge")

    def options_of(self, hotspots: HotspotOptions) -> HotspotOptions:
        """The section `hotspots` itself, which always asks for this map."""
        return hotspots

    def read(
        self, context: RunContext, options: HotspotOptions
    ) -> tuple[Observations, pd.DataFrame]:
        return read_map(context, options)

    def find(self, frame: pd.DataFrame, options: HotspotOptions) -> Rows:
        return hot_hexes(frame, options)


def read_map(context: RunContext, options: MapOptions) -> tuple[Observations, pd.DataFrame]:
    """The records of a map's window, and their sums by hex.

    Raises BadInput for an exposure without any points, or of a layer that is not public any more.
    """
    records = context.records(options.window_days)
    domain = context.territory.cells(options.resolution)
    exposed_to = context.options.exposure
    exposure = (
        read_exposure(
            context.connection, exposed_to, options.resolution, context.options.exposure_field
        )
        if exposed_to
        else None
    )
    # Asked after its points were read: a layer that was closed meanwhile is in no map.
    if exposed_to not in (None, POPULATION, context.layer.id) and not context.connection.scalar(
        _IS_PUBLIC, {"layer": exposed_to}
    ):
        raise BadInput(f"the layer {exposed_to}, which is the `exposure`, is not public any more")
    return records, map_input(records, domain, options, context.until, exposure)


_IS_PUBLIC = text("SELECT gis.is_public(:layer)")


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
    by_cell = {name: one.reindex(cells, fill_value=0) for name, one in columns.items()}
    return pd.DataFrame(by_cell, index=cells).astype({"count": np.int64}).reset_index()


def hot_hexes(frame: pd.DataFrame, options: HotspotOptions) -> list[dict[str, object]]:
    """The significant hexes, each as it is stored, in the order of cells."""
    cells = frame["cell"].to_numpy(np.uint64)
    exposure = frame["exposure"].to_numpy(float) if "exposure" in frame else None
    found = analysis.hex_hotspots(
        cells,
        frame["count"].to_numpy(),
        k=options.disk,
        alpha=options.alpha,
        exposure=exposure,
    )
    hot = found[found["hot"]].rename(columns={"k": "hexes"})
    return [_row(one, options) for one in hot.to_dict("records")]


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


def map_message(count: int, expected: float, days: int, q: float) -> tuple[str, str]:
    """Explanation of a hot hex and its neighbours."""
    return (
        f"{number_vi(count)} báo cáo ở ô này và quanh nó trong {days} ngày, nếu rải đều "
        f"{number_vi(expected, 1)}; tỷ lệ phát hiện sai q {decimal_comma(p_text(q))}",
        f"{reports_en(count)} in this hex and around it in {days_en(days)}, if spread "
        f"evenly {number_en(expected, 1)}; false discovery rate q {p_text(q)}",
    )
