"""One resolver for all tests of addresses: it takes a while to build and never changes."""

import pytest

from gis.boundaries.package_units import package_history
from gis.boundaries.units import UnitHistory
from gis.placing.addresses import AddressResolver


@pytest.fixture(scope="session")
def history() -> UnitHistory:
    return package_history("15")


@pytest.fixture(scope="session")
def resolver(history: UnitHistory) -> AddressResolver:
    return AddressResolver(history)
