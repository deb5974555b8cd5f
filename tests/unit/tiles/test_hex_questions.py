"""What may be asked of hexes, at which resolution it is drawn, and the page that says so."""

from datetime import date
from pathlib import Path

import h3
import numpy as np
import pytest
import shapely
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gis.access import ANONYMOUS, LOCAL_ADMIN, Principal, Role
from gis.errors import BadInput, NotFound
from gis.hexes import (
    EDGE_KM,
    cell_text,
    cells_touching,
    children_of,
    compacted,
    descendants,
    parent_of,
    parents_of,
    resolution_of,
)
from layers.definition.catalogue import Catalogue
from layers.definition.model import HexOptions
from tests.integration.hex_layers import CLOSED, COUNTED, OPEN
from tiles.grid import pixel_m
from tiles.hexes import DaySpan, HexQuery, HexRequest, hex_query, hexed, least_count, resolution_at

PAGE = Path(__file__).parents[3] / "docs/how-to/hexes.md"
DEPARTMENT = Principal("d", Role.DEPARTMENT, frozenset({"counted"}))
MARCH = DaySpan(date(2026, 3, 1), date(2026, 3, 31))


def test_the_section_of_the_page_is_one_of_a_layer_file():
    block = PAGE.read_text().split("```yaml")[1].partition("```")[0]
    options = HexOptions.model_validate(yaml.safe_load(block)["hexes"])
    assert options.filter_resolution == 7
    assert set(yaml.safe_load(block)["hexes"]) == set(HexOptions.model_fields)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-03-01", date(2026, 3, 1), date(2026, 3, 1)),
        ("2026-03-01/2026-03-31", MARCH.first, MARCH.last),
        ("2026-03-01/..", MARCH.first, None),
        ("/2026-03-31", None, MARCH.last),
        ("../..", None, None),
        ("2026-02-28T17:00:00Z/2026-03-31T16:59:59.999999Z", MARCH.first, MARCH.last),
    ],
)
def test_days_are_those_of_vietnam(text, first, last):
    assert hex_query(OPEN, None, text).days == DaySpan(first, last)


def test_an_instant_is_refused_or_stands_for_its_day():
    with pytest.raises(BadInput, match="by day in Vietnam"):
        hex_query(OPEN, None, "2026-03-01T20:00:00Z")
    asked = hex_query(OPEN, None, "2026-03-01T20:00:00Z", widened=True)
    assert asked.days == DaySpan(date(2026, 3, 2), date(2026, 3, 2))


@pytest.mark.parametrize(
    ("days", "are_months"),
    [
        (MARCH, True),
        (DaySpan(date(2026, 1, 1), date(2026, 2, 28)), True),
        (DaySpan(None, date(2024, 2, 29)), True),
        (DaySpan(None, date(2024, 2, 28)), False),
        (DaySpan(date(2026, 3, 2), None), False),
        (DaySpan(None, None), True),
    ],
)
def test_whole_months_are_distinguished_from_other_days(days, are_months):
    assert days.are_months is are_months


def test_the_public_asks_for_less_than_whoever_works_with_the_layer():
    both = HexQuery("flood", MARCH)
    with pytest.raises(BadInput, match="not for both"):
        HexRequest.by(ANONYMOUS, COUNTED, both, 5)
    assert HexRequest.by(DEPARTMENT, COUNTED, both, 5).finest is None
    public = HexRequest.by(ANONYMOUS, COUNTED, HexQuery("flood"), 5)
    assert public.finest == 7
    with pytest.raises(BadInput, match="up to resolution 7"):
        public.require_resolution(8)
    assert "mean" not in public.measures(None) and "mean" in HexRequest.by(
        DEPARTMENT, COUNTED, both, 5
    ).measures(None)


def test_k_is_that_of_the_layer_else_the_setting_and_1_for_its_people():
    assert least_count(COUNTED, ANONYMOUS, 9) == 5
    unset = COUNTED.model_copy(update={"hexes": HexOptions.model_validate({})})
    assert least_count(unset, ANONYMOUS, 9) == 9
    assert least_count(COUNTED, DEPARTMENT, 9) == least_count(COUNTED, LOCAL_ADMIN, 9) == 1


def test_a_layer_whose_counts_are_closed_is_as_one_that_is_not_there():
    catalogue = Catalogue((OPEN, COUNTED, CLOSED))
    assert hexed(catalogue, ANONYMOUS, "counted") is COUNTED
    for name in ("closed", "nowhere"):
        with pytest.raises(NotFound):
            hexed(catalogue, ANONYMOUS, name)
    assert hexed(catalogue, LOCAL_ADMIN, "closed") is CLOSED


@pytest.mark.parametrize("z", range(15))
def test_a_hex_is_seen_and_no_finer_one_would_fit(z):
    options = HexOptions.model_validate({})
    chosen = resolution_at(options, z)
    width_px = {r: 2 * km * 1080 / pixel_m(z) for r, km in EDGE_KM.items()}
    assert chosen == 5 or width_px[chosen] >= 16
    assert all(width_px[finer] < 16 for finer in EDGE_KM if finer > chosen)


def test_a_layer_of_fine_hexes_alone_is_drawn_coarser_from_afar_and_filters_no_finer():
    fine = HexOptions.model_validate({"resolutions": [10]})
    assert [resolution_at(fine, z) for z in (5, 9, 11, 14)] == [5, 7, 9, 10]
    assert resolution_at(HexOptions.model_validate({}), 14, finest=7) == 7


cells = st.builds(
    h3.latlng_to_cell, st.floats(-89, 89), st.floats(-179, 179), st.integers(5, 10)
).map(lambda text: int(text, 16))


@given(cells, st.integers(0, 2))
def test_children_are_those_of_the_h3_library_in_one_span(cell, deeper):
    resolution = resolution_of(cell) + deeper
    found = children_of(cell, resolution)
    assert set(map(cell_text, found)) == set(h3.cell_to_children(cell_text(cell), resolution))
    span = descendants(cell, resolution)
    assert span.first <= found.min() and found.max() <= span.last
    assert (parents_of(found, resolution_of(cell)) == cell).all()
    assert parent_of(int(found[0]), resolution_of(cell)) == cell


@given(cells)
def test_all_children_are_named_by_their_parent_and_some_by_themselves(cell):
    found = children_of(cell, resolution_of(cell) + 2)
    assert compacted(found).tolist() == [cell]
    one_less = compacted(found[1:])
    told = np.concatenate([children_of(int(one), resolution_of(cell) + 2) for one in one_less])
    assert sorted(told.tolist()) == found[1:].tolist()


def test_the_cells_that_touch_an_area_are_those_and_no_others():
    box = shapely.box(103.95, 22.3, 104.0, 22.35)
    found = set(map(cell_text, cells_touching(box, 8)))
    around = h3.grid_disk(h3.latlng_to_cell(22.325, 103.975, 8), 12)
    touching = {
        cell
        for cell in around
        if box.intersects(shapely.Polygon([(x, y) for y, x in h3.cell_to_boundary(cell)]))
    }
    assert found == touching
