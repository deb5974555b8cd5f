"""Events of a layer's last days, of which some reports are still to come."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from gis import analysis
from gis.errors import BadInput
from layers.definition.model import Layer
from layers.detect.observations import read_records

_DAY = timedelta(days=1)
_WINDOW, _LONGEST = 56, 14  # days: from which delays are known, and the longest that is looked at


def expected_events(connection: Connection, layer: Layer, until: datetime) -> pd.DataFrame:
    """Events of the 15 spans of 24 hours up to `until`, the oldest first.

    Columns: since, until (their ends), reported, completeness, expected, low, high (see
    `gis.analysis.nowcast`). Repeats of an incident count once; a report without the time of its
    event is left out. Raises BadInput for a layer whose file does not say when a record is
    received.
    """
    options = layer.hotspots
    if options is None or options.received is None:
        raise BadInput(
            f"layer {layer.id} does not say when a record was received, so that nothing is known "
            "of delays: name the field as `received` in the section `hotspots` of its file"
        )
    # Who reported is not asked: an incident is one whoever tells of it, and readers may not know.
    options = options.model_copy(update={"reporter": None, "senders": ()})
    since = until - (_WINDOW + _LONGEST) * _DAY
    rows = read_records(connection, layer, options, since, until).rows
    rows = rows[rows["incident"] & (rows["happened_at"] > since)]
    # Whole days back from `until`, so that none is under way.
    happened, received = (
        -np.floor((until - rows[name]).dt.total_seconds().to_numpy(float) / 86_400).astype(np.int64)
        for name in ("happened_at", "received_at")
    )
    found = analysis.nowcast(
        np.minimum(happened, received), received, last_day=0, window=_WINDOW, longest=_LONGEST
    )
    ends = [until + int(day) * _DAY for day in found["day"]]
    spans = pd.DataFrame({"since": [end - _DAY for end in ends], "until": ends})
    return pd.concat([spans, found.drop(columns="day")], axis=1)
