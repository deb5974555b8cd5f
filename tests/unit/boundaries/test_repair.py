"""Overlaps of communes go to the one that needs them for its official area."""

import geopandas as gpd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.boundaries.repair import area_km2, make_valid, resolve_overlaps


def frame(
    boxes: list[tuple[float, float, float, float]], official: list[float]
) -> gpd.GeoDataFrame:
    codes = [f"{n:05}" for n in range(len(boxes))]
    shapes = [shapely.box(*box) for box in boxes]
    columns = {"code": codes, "area_km2": official}
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def areas(communes: gpd.GeoDataFrame) -> list[float]:
    return [area_km2(shape) for shape in communes.geometry]


def test_a_patch_goes_to_the_commune_that_is_short_of_it():
    whole = area_km2(shapely.box(104, 22, 104.2, 22.1))
    boxes = [(104, 22, 104.2, 22.1), (104.1, 22, 104.3, 22.1)]
    repaired, overlaps = resolve_overlaps(frame(boxes, [whole, whole / 2]))
    assert [(one.kept_by, one.taken_from) for one in overlaps] == [("00000", "00001")]
    assert areas(repaired) == pytest.approx([whole, whole / 2])


def test_the_other_way_round_when_the_official_areas_say_so():
    whole = area_km2(shapely.box(104, 22, 104.2, 22.1))
    boxes = [(104, 22, 104.2, 22.1), (104.1, 22, 104.3, 22.1)]
    repaired, _ = resolve_overlaps(frame(boxes, [whole / 2, whole]))
    assert areas(repaired) == pytest.approx([whole / 2, whole])


def test_a_patch_of_three_goes_to_one():
    boxes = [(104, 22, 104.2, 22.1), (104.1, 22, 104.3, 22.1), (104.1, 22, 104.2, 22.3)]
    whole = [area_km2(shapely.box(*box)) for box in boxes]
    patch = area_km2(shapely.box(104.1, 22, 104.2, 22.1))
    official = [whole[0] - patch, whole[1] - patch, whole[2]]
    repaired, _ = resolve_overlaps(frame(boxes, official))
    assert areas(repaired) == pytest.approx(official)


@settings(deadline=None, max_examples=40)
@given(
    corners=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(1, 9)),
        min_size=1,
        max_size=6,
    )
)
def test_afterwards_no_two_overlap_and_the_union_is_as_before(corners):
    boxes = [
        (104 + x / 100, 22 + y / 100, 104 + (x + w) / 100, 22 + (y + h) / 100)
        for x, y, w, h in corners
    ]
    before = frame(boxes, [float("nan")] * len(boxes))
    repaired, _ = resolve_overlaps(before)
    shapes = repaired.geometry.to_numpy()
    union = shapely.union_all(shapes)
    assert shapely.area(union) == pytest.approx(shapely.area(shapes).sum())
    assert shapely.area(union.symmetric_difference(before.union_all())) < 1e-9


def test_neighbours_that_only_touch_are_left_alone():
    boxes = [(104, 22, 104.1, 22.1), (104.1, 22, 104.2, 22.1)]
    before = frame(boxes, [1.0, 1.0])
    repaired, overlaps = resolve_overlaps(before)
    assert overlaps == ()
    assert repaired.geometry.geom_equals(before.geometry).all()


def test_a_bow_tie_becomes_two_triangles():
    tie = shapely.Polygon([(104, 22), (104.1, 22.1), (104.1, 22), (104, 22.1)])
    columns = {"code": ["00001"], "area_km2": [1.0]}
    repaired = make_valid(gpd.GeoDataFrame(columns, geometry=[tie], crs="EPSG:4326"))
    assert repaired.geometry.is_valid.all()
    assert len(shapely.get_parts(repaired.geometry.iloc[0])) == 2
