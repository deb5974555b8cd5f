"""Shared parts of the OGC routes: pygeoapi over the catalogue in force, collections, statistics."""

from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Connection

from api.concurrency import ConcurrencyLimit
from api.dependencies import LayersInForce, layers_in_force
from api.ogc.collection_stats import CollectionStats, StatsCache
from api.ogc.page_cache import PageCache
from api.ogc.pygeoapi_core import PygeoapiCore
from api.results import result_of, state_of
from gis.access import Principal
from gis.errors import NotFound
from layers.cql2 import FilterScope
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.items import ItemSource, source_of
from layers.items.geojson import require_readable
from tiles.mvt import known_source_of
from tiles.state import LayerState, state_in

MOST_EXECUTIONS = 4  # of processes, in threads of this one, while their requests wait


@dataclass(frozen=True)
class _CatalogueParts:
    """Parts that are derived once from a catalogue."""

    catalogue: Catalogue
    frame: PygeoapiCore
    sources: dict[str, ItemSource]


class OgcService:
    """The part of the OGC API that outlives a request."""

    def __init__(self) -> None:
        self.facts = StatsCache()
        self.pages = PageCache()
        self.executions = ConcurrencyLimit("executions", MOST_EXECUTIONS, 2)
        self._published: _CatalogueParts | None = None

    def frame(self, catalogue: Catalogue) -> PygeoapiCore:
        return self._of(catalogue).frame

    def source(self, catalogue: Catalogue, layer: Layer) -> ItemSource:
        return self._of(catalogue).sources[layer.id]

    def _of(self, catalogue: Catalogue) -> _CatalogueParts:
        """Made anew when `gis layers sync` has put another catalogue in place."""
        made = self._published
        if made is None or made.catalogue is not catalogue:
            sources = {layer.id: source_of(layer) for layer in catalogue.layers}
            made = _CatalogueParts(catalogue, PygeoapiCore(catalogue.layers), sources)
            self._published = made
        return made


@dataclass(frozen=True)
class Collection:
    """A layer that the caller may read, and its state."""

    source: ItemSource
    state: LayerState

    @property
    def layer(self) -> Layer:
        return self.source.layer


def service_of(request: Request) -> OgcService:
    return request.app.state.ogc  # type: ignore[no-any-return]


def collection_of(request: Request, layer_id: str, principal: Principal) -> Collection:
    """A layer, or the result of a process. Raises NotFound when there is none, or the principal may
    not read it.
    """
    result = result_of(request.app, layer_id, principal)
    if result is not None:
        return Collection(known_source_of(result.layer), state_of(result))
    catalogue, states = layers_in_force(request.app)
    layer = next((each for each in catalogue.readable(principal) if each.id == layer_id), None)
    if layer is None:
        raise NotFound(f"there is no layer {layer_id}, or this key may not read it")
    source = service_of(request).source(catalogue, layer)
    require_readable(source, principal)
    return Collection(source, state_in(states, layer.id))


def scope_of(request: Request, source: ItemSource, principal: Principal) -> FilterScope:
    """The layers that a filter on the items of a source may name: those that one may read."""
    return FilterScope(source, lambda name: collection_of(request, name, principal).source)


def collections_of(
    request: Request, layers: LayersInForce, principal: Principal
) -> list[Collection]:
    """All that the principal may read, in the order of the catalogue."""
    catalogue, states = layers
    service = service_of(request)
    return [
        Collection(service.source(catalogue, layer), states[layer.id])
        for layer in catalogue.readable(principal)
        if layer.id in states
    ]


def facts_of(request: Request, connection: Connection, collection: Collection) -> CollectionStats:
    return service_of(request).facts.of(connection, collection.source, collection.state)
