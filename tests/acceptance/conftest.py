"""The real service with the demo on it, started for each file of tests that needs it.

Files share no port, folder or database, so that they run side by side.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gis.database.cluster import installation
from gis.errors import SetupError
from tests.acceptance.service import Service, service
from tests.databases import passing_folder
from tests.provinces import grid_communes, write_boundaries

# A busy machine takes longer than the five seconds of Playwright.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder that the database's account reaches; skips where there is no PostgreSQL."""
    try:
        installation()
    except SetupError as missing:
        pytest.skip(str(missing))
    with tempfile.TemporaryDirectory(prefix="gis-accept-", dir=passing_folder()) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def grid(home: Path) -> str:
    """The path of a boundary file: 99 communes as squares."""
    return str(write_boundaries(home, grid_communes()))


@pytest.fixture(scope="module")
def running(home: Path, grid: str, request: pytest.FixtureRequest) -> Iterator[Service]:
    """`gis up` with the demo, on the grid of communes.

    Simulated departments are beside it for files of tests that say so, by `DEMO_SOURCES`.
    """
    settings = {
        "GIS_DEMO_SOURCES": getattr(request.module, "DEMO_SOURCES", "false"),
        "GIS_BOUNDARIES": grid,
        "GIS_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "GIS_PUBLISH_ALERTS": "all",
    }
    with service(home / "running", **settings) as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def operator_key(running: Service) -> str:
    done = running.run("keys", "create", "--role", "operator", "--name", "tests")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
