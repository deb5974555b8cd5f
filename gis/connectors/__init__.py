"""Registry of connectors: a module each, and its class in the tuple below."""

from typing import Any

from gis.connectors.arcgis import ArcgisConnector
from gis.connectors.connector import Connector
from gis.connectors.folder import FolderConnector
from gis.connectors.http import HttpConnector
from gis.connectors.mqtt import MqttConnector
from gis.connectors.ogc_features import OgcFeaturesConnector
from gis.connectors.sensorthings import SensorThingsConnector
from gis.connectors.sql import SqlConnector
from gis.connectors.wfs import WfsConnector

_KINDS: tuple[type[Connector[Any]], ...] = (
    FolderConnector,
    HttpConnector,
    ArcgisConnector,
    OgcFeaturesConnector,
    WfsConnector,
    SqlConnector,
    MqttConnector,
    SensorThingsConnector,
)
CONNECTORS: dict[str, type[Connector[Any]]] = {kind.name: kind for kind in _KINDS}
