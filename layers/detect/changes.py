"""Records that are new or gone in the input of a run, compared with that of the run before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from gis.alerts.findings import Evidence
from gis.alerts.store import live_records, live_streams
from layers.detect.store import newest_input

# Columns that an alarm reads. That a record now repeats another, or no longer does, is no change.
_READ = ("id", "stream", "day", "cell", "commune")


@dataclass(frozen=True, slots=True)
class InputChanges:
    """The evidence of each stream of an evaluation; the first one knows nothing of the past."""

    evidence: Mapping[str, Evidence]
    ended: Sequence[str]  # streams with live alerts that have no record left

    def of(self, stream: str) -> Evidence | None:
        return self.evidence.get(stream)


def input_changes(
    connection: Connection, layer_id: str, method: str, rule: str, frame: pd.DataFrame, first: int
) -> InputChanges:
    """Compare an input with that of the newest run of a method, before this one is stored.

    `frame`: id, stream, day and either cell or commune, or both; `first`: the number of the first
    day that the evaluation reads: records of earlier days are not gone but over. Evidence of a live
    alert of `rule` counts as known.
    """
    before = newest_input(connection, layer_id, method)
    live = live_streams(connection, layer_id, rule)
    names = {*frame["stream"].unique(), *live}
    ended = [name for name in live if name not in set(frame["stream"])]
    if before is None:
        return InputChanges({}, ended)
    before = before[before["day"] >= first]
    columns = [name for name in _READ if name in frame]
    old, new = (pd.util.hash_pandas_object(one[columns], index=False) for one in (before, frame))
    gone = before[~old.isin(new).to_numpy()].groupby("stream")["id"].agg(frozenset)
    added = frame[~new.isin(old).to_numpy()].groupby("stream")["id"].agg(frozenset)
    known = frame.groupby("stream")["id"].agg(frozenset)
    none: frozenset[int] = frozenset()
    return InputChanges(
        {
            name: Evidence(
                gone.get(name, none)
                | (live_records(connection, layer_id, rule, name) - known.get(name, none)),
                added.get(name, none),
            )
            for name in names
        },
        ended,
    )
