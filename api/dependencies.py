"""Dependencies of endpoints: the parts of the application, and the principal."""

from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from sqlalchemy import Connection

from gis.access import Principal
from gis.database.engine import Database
from gis.errors import BadInput, NotFound
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from layers.ingest.edit import require_writable
from tiles.serving import TileServer
from tiles.state import LayerState, digests_of


# Those that only look something up are asynchronous: they need no thread, of which all may be busy.
async def _settings(request: Request) -> Settings:
    return request.app.state.settings  # type: ignore[no-any-return]


async def _database(request: Request) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]


class LayersInForce(NamedTuple):
    """The layers by the files that are published, and the states of those that have a table."""

    catalogue: Catalogue
    states: Mapping[str, LayerState]


def layers_in_force(app: FastAPI) -> LayersInForce:
    """Layers of this moment: from the commit on that closes a layer or a field, no process answers
    by the layer file of before.
    """
    states = app.state.tiles.states.read()
    files: LayerFiles = app.state.layer_files
    if not files.is_current(digests_of(states)):
        files.follow()
    return LayersInForce(files.catalogue, states)


def _layers_in_force(request: Request) -> LayersInForce:
    return layers_in_force(request.app)


UsedLayers = Annotated[LayersInForce, Depends(_layers_in_force)]


async def _catalogue(layers: UsedLayers) -> Catalogue:
    return layers.catalogue


async def _tiles(request: Request) -> TileServer:
    return request.app.state.tiles  # type: ignore[no-any-return]


async def _principal(request: Request) -> Principal:
    return request.state.principal  # type: ignore[no-any-return]


def _reader(request: Request) -> Iterator[Connection]:
    database: Database = request.app.state.database
    with database.reading() as connection:
        yield connection


def _polled_reader(request: Request) -> Iterator[Connection]:
    database: Database = request.app.state.database
    with database.reading_by_kept_plans() as connection:
        yield connection


def _writer(request: Request) -> Iterator[Connection]:
    database: Database = request.app.state.database
    with database.writing() as connection:
        yield connection


UsedSettings = Annotated[Settings, Depends(_settings)]
UsedDatabase = Annotated[Database, Depends(_database)]
UsedCatalogue = Annotated[Catalogue, Depends(_catalogue)]
UsedTiles = Annotated[TileServer, Depends(_tiles)]
Caller = Annotated[Principal, Depends(_principal)]
# The scope makes a write commit before the answer leaves, so that the next request sees it.
Reader = Annotated[Connection, Depends(_reader, scope="function")]
Writer = Annotated[Connection, Depends(_writer, scope="function")]
# One statement a request, which comes again and again.
PolledReader = Annotated[Connection, Depends(_polled_reader, scope="function")]


async def declared_parameters(request: Request) -> None:
    """Raises BadInput for a query parameter that the endpoint does not have: a misspelt filter
    would else answer with too much.
    """
    known = list(dict.fromkeys(query_parameters(request.scope["route"].dependant)))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        offered = f"it has {', '.join(known)}" if known else "it has none"
        raise BadInput(f"there is no parameter {unknown[0]!r} here: {offered}")


def query_parameters(dependant: Dependant) -> Iterator[str]:
    """Names of the query parameters of an endpoint, and of what it depends on."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for each in dependant.dependencies:
        yield from query_parameters(each)


def writable_layer(catalogue: Catalogue, layer_id: str, caller: Principal) -> Layer:
    """A layer whose rows the caller may change.

    Raises NotFound for one that he may not read, NoKey and NotAllowed.
    """
    layer = next((each for each in catalogue.readable(caller) if each.id == layer_id), None)
    if layer is None:
        raise NotFound(f"there is no layer {layer_id}, or this key may not read it")
    require_writable(layer, caller)
    return layer


DeclaredParameters = Depends(declared_parameters)
