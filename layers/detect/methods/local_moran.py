"""Hexes like or unlike those around them (local Moran), from the sums of a map. For planning."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gis.analysis import hex_outliers
from layers.definition.model import LocalMoranOptions
from layers.detect.messages import local_moran_message


def outlying_hexes(frame: pd.DataFrame, options: LocalMoranOptions) -> list[dict[str, object]]:
    """The hexes that have a category, each as it is stored, in the order of cells.

    `frame` is that of layers.detect.methods.gi_star.map_input.
    """
    found = hex_outliers(
        frame["cell"].to_numpy(np.uint64),
        frame["count"].to_numpy(),
        exposure=frame["exposure"].to_numpy(float) if "exposure" in frame else None,
        k=options.disk,
        alpha=options.alpha,
        seed=options.seed,
    )
    told = found[found["category"] != "none"]
    return [_row(one, options.window_days) for one in told.to_dict("records")]


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
