"""pygeoapi as the frame of the OGC API: landing page, conformance, the list of collections.

It is embedded from a dict, so that it reads neither files nor the environment. Its documents are
taken as JSON and patched in api.ogc.patches; HTML is made of the patched document.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from fastapi import Request
from pygeoapi.api import API, APIRequest, all_apis
from pygeoapi.api import conformance as stock_conformance
from pygeoapi.api import describe_collections as stock_collections
from pygeoapi.api import landing_page as stock_landing

from api.ogc.negotiation import Negotiation
from gis.errors import GisError
from layers.definition.model import Layer
from layers.items import CRS84, SUPPORTED

TITLE = {"vi": "Dịch vụ dữ liệu không gian của tỉnh", "en": "Spatial data service of the province"}
DESCRIPTION = {
    "vi": "Các lớp dữ liệu của Trung tâm điều hành thông minh (IOC) theo chuẩn OGC API",
    "en": "The layers of the Intelligent Operations Centre (IOC), served as OGC API",
}
_CONTACT = {"name": "IOC", "url": "http://localhost/ogc"}  # pygeoapi insists; patched away
_WORLD = [-180, -90, 180, 90]  # the true extent is put in later, from the data

with warnings.catch_warnings():  # its other modules, imported late, are written for Pydantic 1
    warnings.simplefilter("ignore", DeprecationWarning)
    all_apis()

Function = Callable[..., tuple[dict[str, str], int, str]]


class PygeoapiCore:
    """pygeoapi over the layers of one catalogue."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._resources = {layer.id: _resource(layer) for layer in layers}
        # Our own document describes the service (api.ogc.openapi), so pygeoapi holds none.
        self._api = API(_config(self._resources), openapi={})

    def landing(self, request: Request, negotiation: Negotiation) -> dict[str, Any]:
        return self._call(stock_landing, request, negotiation, self._resources)

    def conformance(self, request: Request, negotiation: Negotiation) -> dict[str, Any]:
        return self._call(stock_conformance, request, negotiation, self._resources)

    def collections(
        self, request: Request, negotiation: Negotiation, readable: Sequence[Layer]
    ) -> dict[str, Any]:
        shown = {layer.id: self._resources[layer.id] for layer in readable}
        return self._call(stock_collections, request, negotiation, shown)

    def collection(
        self, request: Request, negotiation: Negotiation, layer: Layer
    ) -> dict[str, Any]:
        resources = self._resources
        if layer.id not in resources:  # the result of a process, which is in no list
            resources = {layer.id: _resource(layer)}
        return self._call(stock_collections, request, negotiation, resources, layer.id)

    def _call(
        self,
        function: Function,
        request: Request,
        negotiation: Negotiation,
        resources: dict[str, Any],
        *args: str,
    ) -> dict[str, Any]:
        api = copy.copy(self._api)  # the base URL and the collections shown are of the request
        api.base_url = negotiation.base
        api.config = {**self._api.config, "resources": resources}
        api_request = APIRequest(request, api.locales)
        api_request._format = "json"  # whatever the client wants, the document comes first
        _, status, content = function(api, api_request, *args)
        if status != 200:
            raise GisError(f"pygeoapi answered {status}")
        document: dict[str, Any] = orjson.loads(content)
        return document


def _config(resources: dict[str, Any]) -> dict[str, Any]:
    identification = {
        "title": TITLE,
        "description": DESCRIPTION,
        "keywords": ["OGC API", "GIS"],
        "keywords_type": "theme",
        "terms_of_service": "https://creativecommons.org/licenses/by/4.0/",
        "url": _CONTACT["url"],
    }
    return {
        "server": {
            "url": "http://localhost/ogc",
            "mimetype": "application/json",
            "encoding": "utf-8",
            "languages": ["vi", "en"],
            "limits": {"default_items": 1000, "max_items": 10000},
            "gzip": False,  # the application compresses, once
            "pretty_print": False,
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": identification,
            "license": {"name": "CC-BY 4.0", "url": identification["terms_of_service"]},
            "provider": _CONTACT,
            "contact": _CONTACT,
        },
        "resources": resources,
    }


def _resource(layer: Layer) -> dict[str, Any]:
    return {
        "type": "collection",
        "title": layer.title.model_dump(),
        "description": layer.description.model_dump(),
        "keywords": [layer.id],
        "links": [],
        "extents": {"spatial": {"bbox": _WORLD, "crs": CRS84.uri}},
        "providers": [
            {
                "type": "feature",
                "name": "layers.items",  # answered by api.ogc.items, never loaded by pygeoapi
                "data": layer.id,
                "crs": [crs.uri for crs in SUPPORTED],
                "storage_crs": CRS84.uri,
            }
        ],
    }
