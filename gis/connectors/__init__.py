"""Registry of connectors: a module each, and its class in the tuple below."""

from typing import Any

from gis.connectors.connector import Connector

_KINDS: tuple[type[Connector[Any]], ...] = ()
CONNECTORS: dict[str, type[Connector[Any]]] = {kind.name: kind for kind in _KINDS}
