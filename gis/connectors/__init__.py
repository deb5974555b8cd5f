"""Registry of connectors: a module each, and its class in the tuple below."""

from typing import Any

from gis.connectors.connector import Connector
from gis.connectors.http import HttpConnector

_KINDS: tuple[type[Connector[Any]], ...] = (HttpConnector,)
CONNECTORS: dict[str, type[Connector[Any]]] = {kind.name: kind for kind in _KINDS}
