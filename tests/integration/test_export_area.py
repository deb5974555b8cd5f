"""Layers that are given out by area: no door hands out more of them at once."""

from collections.abc import Iterator

import pytest
from pyproj import Geod, Transformer

from gis.access import Principal, Role, create_key
from gis.database.engine import Database
from gis.errors import NotAllowed
from layers.items import SUPPORTED, Box
from layers.items.crs import EPSG_9208
from layers.items.export_area import check_export_area
from layers.items.formats import FORMATS
from tests.integration.ogc_app import Client, client_of
from tests.integration.ogc_layers import INCIDENTS, add_five, make_layer

GUARDED = INCIDENTS.model_copy(update={"largest_export_km2": 200.0})
ITEMS = "/ogc/collections/incidents/items"
SMALL = "103.85,22.25,103.95,22.35"  # some 10 by 11 km
LARGE = "103.80,22.20,104.00,22.40"


@pytest.fixture
def client(database: Database) -> Iterator[Client]:
    make_layer(database, GUARDED)
    add_five(database)
    with client_of(database, [GUARDED]) as opened:
        yield opened


@pytest.mark.parametrize("form", ["json", *FORMATS])
def test_every_form_is_given_out_by_area(client: Client, database: Database, form: str):
    roles = (Role.OPERATOR, Role.ADMIN)
    with database.writing() as connection:
        keys = {role: create_key(connection, role, role, ()) for role in roles}
    for role, whole in ((None, 403), (Role.OPERATOR, 403), (Role.ADMIN, 200)):
        headers = {"X-API-Key": keys[role]} if role else {}
        statuses = [
            client.get(f"{ITEMS}?f={form}{box}", headers=headers).status_code
            for box in (f"&bbox={SMALL}", f"&bbox={LARGE}", "", "&filter=severity > 0&limit=1")
        ]
        assert statuses == [200, whole, whole, whole]


def test_attributes_alone_one_item_and_the_page_are_as_ever(client: Client):
    for path in ("?skipGeometry=true", "/1", "?f=html"):
        assert client.get(f"{ITEMS}{path}").status_code == 200


@pytest.mark.parametrize("crs", SUPPORTED)
def test_the_area_is_that_on_the_ground_whatever_the_crs_of_the_box(crs):
    """A box of 10 by 10 km, by geodesics of its own."""
    geod = Geod(ellps="WGS84")
    east = geod.fwd(104.0, 22.0, 90, 10_000)[:2]
    north = geod.fwd(104.0, 22.0, 0, 10_000)[:2]
    west, south, east, north = 104.0, 22.0, east[0], north[1]
    if crs.srid != 4326:
        to = Transformer.from_crs(4326, crs.srid, always_xy=True)
        west, south, east, north = to.transform_bounds(west, south, east, north)
    box, caller = Box(west, south, east, north, crs), Principal("o", Role.OPERATOR)
    check_export_area(GUARDED.model_copy(update={"largest_export_km2": 102.0}), box, caller)
    with pytest.raises(NotAllowed, match=r"covers 10[01] km²"):
        check_export_area(GUARDED.model_copy(update={"largest_export_km2": 99.0}), box, caller)


def test_a_box_whose_area_cannot_be_computed_is_refused():
    box = Box(-1e30, -1e30, 1e30, 1e30, EPSG_9208)
    with pytest.raises(NotAllowed):
        check_export_area(GUARDED, box, Principal("o", Role.OPERATOR))


def test_a_box_over_the_date_line_has_both_its_parts():
    box = Box(179.95, 0, -179.95, 0.1)
    with pytest.raises(NotAllowed, match=r"covers 12[23] km²"):
        check_export_area(
            GUARDED.model_copy(update={"largest_export_km2": 100.0}), box,
            Principal("o", Role.OPERATOR),
        )  # fmt: skip
