"""What endpoints ask for: the parts of the application, and who asks."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from sqlalchemy import Connection

from gis.access import Principal
from gis.database.engine import Database
from gis.errors import BadInput
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.reload import LayerFiles
from tiles.state import LayerState


# Those that only look something up are asynchronous: they need no thread, of which all may be busy.
async def _settings(request: Request) -> Settings:
    return request.app.state.settings  # type: ignore[no-any-return]


async def _database(request: Request) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]


def catalogue_now(app: FastAPI) -> Catalogue:
    """The layers in force, held against what is published at this moment: from the commit that
    closes a layer or a field on, no process answers by the layer file of before.
    """
    return _followed(app, app.state.tiles.states.read())


def _followed(app: FastAPI, states: Mapping[str, LayerState]) -> Catalogue:
    files: LayerFiles = app.state.layer_files
    if not files.is_current({layer_id: state.digest for layer_id, state in states.items()}):
        files.follow()
    return files.catalogue


def _catalogue(request: Request) -> Catalogue:
    """As `catalogue_now`; the states that it read are those of the request."""
    request.state.tile_states = request.app.state.tiles.states.read()
    return _followed(request.app, request.state.tile_states)


async def _principal(request: Request) -> Principal:
    return request.state.principal  # type: ignore[no-any-return]


def _reader(request: Request) -> Iterator[Connection]:
    database: Database = request.app.state.database
    with database.reading() as connection:
        yield connection


def _writer(request: Request) -> Iterator[Connection]:
    database: Database = request.app.state.database
    with database.writing() as connection:
        yield connection


UsedSettings = Annotated[Settings, Depends(_settings)]
UsedDatabase = Annotated[Database, Depends(_database)]
UsedCatalogue = Annotated[Catalogue, Depends(_catalogue)]
Caller = Annotated[Principal, Depends(_principal)]
# The scope makes a write commit before the answer leaves, so that the next request sees it.
Reader = Annotated[Connection, Depends(_reader, scope="function")]
Writer = Annotated[Connection, Depends(_writer, scope="function")]


async def declared_parameters(request: Request) -> None:
    """Raises BadInput for a query parameter that the endpoint does not have: a misspelt filter
    would else answer with too much.
    """
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        offered = f"it has {', '.join(known)}" if known else "it has none"
        raise BadInput(f"there is no parameter {unknown[0]!r} here: {offered}")


DeclaredParameters = Depends(declared_parameters)
