"""What all tests share: where the optional development data lies."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine examples are slow to be made, which says nothing of the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

SHARED = Path(os.environ.get("GIS_SHARED", Path(__file__).parents[1].parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The optional folder with real development data (../shared); skips when it is not there."""
    if not SHARED.is_dir():
        pytest.skip(f"no development data at {SHARED}; set GIS_SHARED to run this test")
    return SHARED
