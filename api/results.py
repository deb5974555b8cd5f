"""Results of processes as layers: found by their ids, beside the layers that have files.

A result is in no list of layers. Who may read it, and all that it rests on, is decided here, each
time that it is asked for.
"""

from fastapi import FastAPI

from api.dependencies import layers_in_force
from gis.access import Principal
from gis.database.engine import Database
from layers.definition.model import Layer
from layers.items.results import run_of
from layers.processes.runs import StoredResult, prolong, readable_result
from tiles.state import LayerState


def result_of(app: FastAPI, layer_id: str, principal: Principal) -> StoredResult | None:
    """The result of an id; None for an id of another form, which is that of a layer with a file.

    Raises NotFound for one that is not there for this principal. Reading it prolongs its life.
    """
    run = run_of(layer_id)
    if run is None:
        return None
    database: Database = app.state.database
    catalogue = layers_in_force(app).catalogue
    with database.reading_singly() as connection:
        result = readable_result(connection, run, catalogue, principal)
    if result.is_soon_forgotten:
        with database.writing() as connection:
            prolong(connection, run)
    return result


def layer_of(app: FastAPI, layer_id: str, principal: Principal) -> Layer:
    """The layer or result of an id. Raises NotFound where the principal may not read it."""
    result = result_of(app, layer_id, principal)
    if result is not None:
        return result.layer
    return layers_in_force(app).catalogue.get_readable(layer_id, principal)


def state_of(result: StoredResult) -> LayerState:
    """A result never changes."""
    return LayerState(result.layer.id, 1, "-infinity", result.ended_at.isoformat())
