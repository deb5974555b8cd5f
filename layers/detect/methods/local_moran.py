"""Hexes like or unlike those around them (local Moran), from the sums of a map. For planning."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gis import analysis
from gis.text import number_en, number_vi
from layers.definition.model import LocalizedText, LocalMoranOptions
from layers.detect.messages import days_en, decimal_comma, p_text, reports_en
from layers.detect.method import HexMethod, Rows, RunContext, value_label
from layers.detect.methods.gi_star import MAP_PAUSE, read_map
from layers.detect.observations import Observations


class LocalMoran(HexMethod[LocalMoranOptions]):
    """Hexes that are significantly like or unlike those around them."""

    name = "local_moran"
    label = LocalizedText(vi="ô giống và khác xung quanh", en="like and unlike their surroundings")
    options = LocalMoranOptions
    results = "local_moran"
    result_layer = "local_moran"
    pause = MAP_PAUSE
    compared = (
        "cell", "category", "count", "expected", "neighbours_count", "neighbours_expected",
        "moran", "p", "q", "edge",
    )  # fmt: skip

    def read(
        self, context: RunContext, options: LocalMoranOptions
    ) -> tuple[Observations, pd.DataFrame]:
        return read_map(context, options)

    def find(self, frame: pd.DataFrame, options: LocalMoranOptions) -> Rows:
        return outlying_hexes(frame, options)


def outlying_hexes(frame: pd.DataFrame, options: LocalMoranOptions) -> list[dict[str, object]]:
    """The hexes that have a category, each as it is stored, in the order of cells.

    `frame` is that of layers.detect.methods.gi_star.map_input.
    """
    found = analysis.hex_outliers(
        frame["cell"].to_numpy(np.uint64),
        frame["count"].to_numpy(),
        exposure=frame["exposure"].to_numpy(float) if "exposure" in frame else None,
        k=options.disk,
        alpha=options.alpha,
        seed=options.seed,
    )
    classed = found[found["category"] != "none"]
    return [_row(one, options.window_days) for one in classed.to_dict("records")]


def _row(one: Mapping[Any, Any], days: int) -> dict[str, object]:
    here = int(one["count"]), float(one["expected"])
    around = int(one["neighbours_count"]), float(one["neighbours_expected"])
    vi, en = local_moran_message(one["category"], here, around, days, float(one["q"]))
    return {
        "cell": int(one["cell"]),
        "category": one["category"],
        "count": here[0],
        "expected": here[1],
        "neighbours_count": around[0],
        "neighbours_expected": around[1],
        "moran": None if np.isnan(one["moran"]) else float(one["moran"]),
        "p": float(one["p"]),
        "q": float(one["q"]),
        "edge": bool(one["edge"]),
        "explanation_vi": vi,
        "explanation_en": en,
    }


def local_moran_message(
    category: str, here: tuple[int, float], around: tuple[int, float], days: int, q: float
) -> tuple[str, str]:
    """Of a hex and those around it: how many records each has, and how many are expected."""
    label = value_label("local_moran", "category", category)
    return (
        f"{label.vi}: {number_vi(here[0])} báo cáo ở ô này trong {days} ngày, nếu rải đều "
        f"{number_vi(here[1], 1)}; quanh nó {number_vi(around[0])}, nếu rải đều "
        f"{number_vi(around[1], 1)}; tỷ lệ phát hiện sai q {decimal_comma(p_text(q))}",
        f"{label.en}: {reports_en(here[0])} in this hex in {days_en(days)}, if spread evenly "
        f"{number_en(here[1], 1)}; around it {number_en(around[0])}, if spread evenly "
        f"{number_en(around[1], 1)}; false discovery rate q {p_text(q)}",
    )
