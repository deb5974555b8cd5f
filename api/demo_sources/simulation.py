"""All simulated sources together, and the layer files that read them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from api.demo_sources.arcgis import DemoArcgis
from api.demo_sources.feeds import CLIENT_SECRET, KEY, DemoFeeds, now
from api.demo_sources.sensorthings import DemoSensorThings
from api.demo_sources.server import DemoPage

PORT = 8100
LAYER_FILES = Path(__file__).parent / "layers"
# As GIS_SOURCE_SECRET_<NAME> of the service that reads them.
SECRETS = {"DEMO_LGSP": CLIENT_SECRET, "DEMO_RAIN": KEY}


def demo_pages(clock: Callable[[], datetime] = now) -> dict[str, DemoPage]:
    """The pages of all simulated sources, by their paths."""
    return DemoFeeds(clock).pages() | DemoArcgis().pages() | DemoSensorThings().pages()
