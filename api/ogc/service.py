"""What the routes share: the frame of the catalogue in force, the layers and what they hold."""

from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Connection

from api.dependencies import catalogue_now
from api.ogc.collection_stats import CollectionStats, StatsCache, StatsKey, state_of
from api.ogc.page_cache import PageCache
from api.ogc.pygeoapi_core import PygeoapiCore
from gis.access import Principal
from gis.errors import NotFound
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.items import ItemSource, source_of
from layers.items.geojson import require_readable


@dataclass(frozen=True)
class _CatalogueParts:
    """What is made once of a catalogue."""

    catalogue: Catalogue
    frame: PygeoapiCore
    sources: dict[str, ItemSource]


class OgcService:
    """The part of the OGC API that outlives a request."""

    def __init__(self) -> None:
        self.facts = StatsCache()
        self.pages = PageCache()
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
    state: StatsKey

    @property
    def layer(self) -> Layer:
        return self.source.layer


def service_of(request: Request) -> OgcService:
    return request.app.state.ogc  # type: ignore[no-any-return]


def collection_of(
    request: Request, connection: Connection, layer_id: str, who: Principal
) -> Collection:
    """Raises NotFound when there is no such layer, or `who` may not read it."""
    catalogue = catalogue_now(request.app)
    layer = next((each for each in catalogue.readable(who) if each.id == layer_id), None)
    if layer is None:
        raise NotFound(f"there is no layer {layer_id}, or this key may not read it")
    source = service_of(request).source(catalogue, layer)
    require_readable(source, who)
    return Collection(source, state_of(connection, layer.id))


def facts_of(request: Request, connection: Connection, collection: Collection) -> CollectionStats:
    return service_of(request).facts.of(connection, collection.source, collection.state)
