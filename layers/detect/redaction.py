"""Runs that read what was closed since: what they read and found is forgotten. That they were made
is not.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from layers.detect.store import SQL

# Alerts that such runs raise.
RUN_RULES = ("scan", "series", "held_back")


def redact_runs_of_field(connection: Connection, layer_id: str, field: str) -> int:
    """Of the runs of a layer whose parameters name a field that became personal; how many."""
    why = f"field {field} of layer {layer_id} became personal"
    of = {"layer": layer_id, "field": field, "why": why}
    runs = list(connection.scalars(SQL["redact_runs_of_field"], of))
    _forget(connection, runs)
    connection.execute(SQL["forget_nulls"], {"layer": layer_id})
    connection.execute(SQL["prune_inputs"])
    return len(runs)


def redact_runs_exposed_to(connection: Connection, layer_id: str) -> int:
    """Of the runs of other layers whose exposure was this one, closed by now; how many."""
    why = f"layer {layer_id}, its exposure, is no longer public"
    runs = list(connection.scalars(SQL["redact_runs_exposed_to"], {"layer": layer_id, "why": why}))
    _forget(connection, runs)
    connection.execute(SQL["prune_inputs"])
    return len(runs)


def _forget(connection: Connection, runs: Sequence[int]) -> None:
    connection.execute(SQL["forget_results"], {"runs": list(runs)})
    if runs:
        connection.execute(SQL["raise_results"])
