"""Select, summarise, buffer, dissolve and overlay: by hand, by laws, and by a second way."""

import geopandas
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput, GisError
from layers.processes import execution
from tests.integration.processes.conftest import (
    POSTS,
    SPOTS,
    SQUARES,
    WAYS,
    Made,
    add,
    execute,
    square,
)

GEOD = pyproj.Geod(ellps="WGS84")


def metres(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return GEOD.inv(one[0], one[1], other[0], other[1])[2]


def area_km2(shape: shapely.Geometry) -> float:
    return abs(GEOD.geometry_area_perimeter(shapely.geometry.polygon.orient(shape)
               if shape.geom_type == "Polygon" else shape)[0]) / 1e6  # fmt: skip


class TestSelect:
    def test_what_lies_within_a_drawn_shape(self, shared_map):
        made = execute(
            shared_map, "select", layer="spots", relation="within",
            area=shapely.geometry.mapping(square(104.0)),
        )  # fmt: skip
        assert made.column("name") == ["in_a", "also_in_a", "on_the_border_of_a_and_b"]
        assert made.summary["of_items"] == len(SPOTS)  # those with a place

    def test_near_and_not_near_are_parts_of_the_whole(self, shared_map):
        for distance in (1, 1_000, 5_000, 12_000, 200_000):
            inputs = {"layer": "spots", "of": "posts", "distance_m": distance}
            near = execute(shared_map, "select", relation="near", **inputs).column("name")
            rest = execute(shared_map, "select", relation="not_near", **inputs).column("name")
            wanted = [
                name
                for name, (lon, lat, _) in SPOTS.items()
                if min(metres((lon, lat), post) for post in POSTS.values()) <= distance
            ]
            assert near == wanted
            assert sorted(near + rest) == sorted(SPOTS)

    def test_the_nearest_and_how_far(self, shared_map):
        made = execute(shared_map, "select", layer="spots", relation="nearest", of="posts", k=2)
        assert len(made.items) == 2 * len(SPOTS)
        for item in made.items:
            place = SPOTS[item["name"]][:2]
            ranked = sorted(POSTS, key=lambda post, place=place: metres(POSTS[post], place))
            assert item["near_name"] == ranked[item["rank"] - 1]
            assert item["distance_m"] == pytest.approx(metres(POSTS[item["near_name"]], place))

    def test_nearest_in_metres_though_not_in_degrees(self, small):
        """A degree of longitude is shorter: 0.0103° east is nearer than 0.01° north."""
        add(small, "posts", shapely.Point(105.0, 22.51), name="north")
        add(small, "posts", shapely.Point(105.0103, 22.5), name="east")
        add(small, "squares", square(104.9999, 22.4999, 0.0002), name="here", people=1)
        made = execute(
            small, "select", layer={"layer": "squares", "filter": "name = 'here'"},
            relation="nearest", of="posts",
        )  # fmt: skip
        assert made.column("near_name") == ["east"]

    def test_of_areas_those_that_touch_or_are_within(self, shared_map):
        inputs = {"layer": "squares", "of": {"layer": "squares", "filter": "name = 'b'"}}
        assert execute(shared_map, "select", relation="intersects", **inputs).column("name") == [
            "a", "b", "c",
        ]  # fmt: skip
        assert execute(shared_map, "select", relation="within", **inputs).column("name") == ["b"]

    @pytest.mark.parametrize(
        ("inputs", "what"),
        [
            ({"layer": "spots"}, "either `of`"),
            ({"layer": "spots", "of": "posts"}, "needs `distance_m`"),
            ({"layer": "spots", "of": "nothing", "distance_m": 1}, "there is no layer nothing"),
            ({"layer": "spots", "of": "posts", "distance_m": -1}, "distance_m"),
            ({"layer": "spots", "area": {"type": "Point"}, "relation": "within"}, "no GeoJSON"),
            ({"layer": "spots", "area": {"type": "Point", "coordinates": [900, 0]},
              "relation": "within"}, "not on the earth"),
            ({"layer": {"layer": "spots", "filter": "nme = 'x'"}, "of": "posts", "distance_m": 1},
             "no property"),
            ({"layer": "spots", "of": "posts", "distance_m": 1, "colour": "red"}, "colour"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said(self, shared_map, inputs, what):
        with pytest.raises(GisError, match=what):
            execute(shared_map, "select", **inputs)


class TestSummarise:
    def test_points_by_area_with_a_proof(self, shared_map):
        made = execute(shared_map, "summarise", records="spots", areas="squares", field="size")
        by = made.by("name")
        assert {name: by[name]["count"] for name in by} == {"a": 3, "b": 2, "c": 0, "d": 0}
        assert by["a"]["value"] == pytest.approx((1 + 3 + 7) / 3)
        assert by["c"]["value"] is None
        assert by["a"]["per_km2"] == pytest.approx(3 / area_km2(square(104.0)), rel=1e-6)
        proof = made.summary
        assert (proof["records"], proof["outside"], proof["in_several"]) == (5, 1, 1)
        assert (proof["without_place"], proof["areas"]) == (1, 4)
        assert (
            sum(made.column("count")) == proof["records"] - proof["outside"] + proof["in_several"]
        )

    @pytest.mark.parametrize(
        ("statistic", "value"), [("sum", 11), ("median", 3), ("minimum", 1), ("maximum", 7)]
    )
    def test_statistics(self, shared_map, statistic, value):
        made = execute(
            shared_map, "summarise", records="spots", areas="squares", field="size",
            statistic=statistic,
        )  # fmt: skip
        assert made.by("name")["a"]["value"] == value

    def test_lines_are_cut_at_borders_and_their_length_is_kept(self, shared_map):
        made = execute(shared_map, "summarise", records="ways", areas="squares")
        by = made.by("name")
        whole = metres(*WAYS["through_a_and_b"]) / 1000
        assert by["a"]["length_km"] == pytest.approx(whole / 2, rel=1e-6)
        assert by["a"]["length_km"] + by["b"]["length_km"] == pytest.approx(whole, rel=1e-6)
        assert by["c"]["length_km"] == pytest.approx(metres(*WAYS["in_c"]) / 1000)
        assert by["d"]["length_km"] == 0

    def test_areas_by_what_they_cover(self, small):
        add(small, "squares", square(104.05, 22.05, 0.1), name="over", people=1)
        over = {"layer": "squares", "filter": "name = 'over'"}
        rest = {"layer": "squares", "filter": "name <> 'over'"}
        made = execute(small, "summarise", records=over, areas=rest)
        by = made.by("name")
        for name in "ab":
            common = square(104.05, 22.05, 0.1).intersection(square(SQUARES[name]))
            assert by[name]["covered_km2"] == pytest.approx(area_km2(common), rel=1e-6)

    @settings(max_examples=5)
    @given(st.integers(0, 2**31))
    def test_as_geopandas_counts_it(self, shared_map, seed):
        """By chance; none of them lies on a border."""
        random = np.random.default_rng(seed)
        places = random.uniform((103.98, 21.98), (104.32, 22.12), (200, 2))
        with shared_map.writing() as connection:
            connection.exec_driver_sql("DELETE FROM layer.posts WHERE name = 'random'")
        for lon, lat in places[:40]:
            add(shared_map, "posts", shapely.Point(lon, lat), name="random")
        made = execute(
            shared_map, "summarise", areas="squares",
            records={"layer": "posts", "filter": "name = 'random'"},
        )  # fmt: skip
        points = geopandas.GeoDataFrame(geometry=shapely.points(places[:40]), crs=4326)
        areas = geopandas.GeoDataFrame(
            {"name": list(SQUARES)}, geometry=[square(west) for west in SQUARES.values()], crs=4326
        )
        joined = areas.sjoin(points, how="inner").groupby("name").size()
        assert {
            k: v for k, v in zip(made.column("name"), made.column("count"), strict=True) if v
        } == (joined.to_dict())
        with shared_map.writing() as connection:
            connection.exec_driver_sql("DELETE FROM layer.posts WHERE name = 'random'")


def test_a_result_has_an_end(shared_map, monkeypatch):
    monkeypatch.setattr(execution, "MOST_ROWS", 4)
    for name, inputs in (
        ("buffer", {"layer": "spots", "distance_m": 1}),
        ("summarise", {"records": "spots", "areas": "squares"}),
    ):
        if name == "summarise":
            monkeypatch.setattr(execution, "MOST_ROWS", 3)
        with pytest.raises(BadInput, match=r"more than \d items: narrow"):
            execute(shared_map, name, **inputs)


class TestBuffer:
    @pytest.mark.parametrize("distance", [10, 500, 20_000])
    def test_its_edge_is_as_far_as_it_says(self, shared_map, distance):
        made = execute(shared_map, "buffer", layer="posts", distance_m=distance)
        for item in made.items:
            centre = POSTS[item["name"]]
            (ring,) = [part.exterior for part in item["geom"].geoms]
            for corner in ring.coords:
                assert metres(centre, corner) == pytest.approx(distance, rel=5e-4)
            assert item["buffer_km2"] == pytest.approx(area_km2(item["geom"].geoms[0]), rel=1e-6)
            # 64 corners hold 99.8 % of the circle.
            assert item["buffer_km2"] == pytest.approx(np.pi * distance**2 / 1e6, rel=4e-3)

    def test_joined_it_is_no_larger_than_the_sum_and_holds_all(self, shared_map):
        alone = execute(shared_map, "buffer", layer="spots", distance_m=1_000)
        joined = execute(shared_map, "buffer", layer="spots", distance_m=1_000, dissolve=True)
        (one,) = joined.items
        assert one["items"] == len(SPOTS)
        assert one["area_km2"] < sum(alone.column("buffer_km2"))  # two of them overlap
        union = shapely.union_all([item["geom"] for item in alone.items])
        assert one["geom"].symmetric_difference(union).area < 1e-9


class TestDissolve:
    def test_squares_joined(self, shared_map):
        made = execute(shared_map, "dissolve", layer="squares")
        (one,) = made.items
        assert one["items"] == 4
        total = sum(area_km2(square(west)) for west in SQUARES.values())
        assert one["area_km2"] == pytest.approx(total, rel=1e-6)
        assert len(one["geom"].geoms) == 2  # a to c, and d

    def test_by_a_property(self, shared_map):
        made = execute(shared_map, "dissolve", layer="squares", by="people")
        assert made.column("people") == [100]
        with pytest.raises(BadInput, match="no property 'colour'"):
            execute(shared_map, "dissolve", layer="squares", by="colour")

    def test_lines(self, shared_map):
        made = execute(shared_map, "dissolve", layer="ways")
        total = sum(metres(*way) for way in WAYS.values()) / 1000
        assert made.column("length_km") == [pytest.approx(total)]


@pytest.fixture
def two(small):
    """Two layers in one, of overlapping areas: `over` lies over parts of a and b."""
    add(small, "squares", square(104.05, 22.05, 0.1), name="over", people=7)
    over = {"layer": "squares", "filter": "name = 'over'"}
    rest = {"layer": "squares", "filter": "name <> 'over'"}
    return lambda how, one=rest, other=over: execute(
        small, "overlay", layer=one, areas=other, how=how
    )


class TestOverlay:
    def test_areas_add_up(self, two):
        """But for what a parallel and a great circle enclose: 2e-5 of it."""
        rest = [square(west) for west in SQUARES.values()]
        over = square(104.05, 22.05, 0.1)

        def size(made: Made) -> float:
            return sum(made.column("size"))

        common, difference, union = two("intersection"), two("difference"), two("union")
        assert size(common) == pytest.approx(
            sum(area_km2(over.intersection(each)) for each in rest if over.intersects(each)
                and over.intersection(each).area), rel=1e-6,
        )  # fmt: skip
        whole = sum(map(area_km2, rest))
        assert size(common) + size(difference) == pytest.approx(whole, rel=1e-4)
        assert size(union) == pytest.approx(whole + area_km2(over) - size(common), rel=1e-4)
        union_shape = shapely.union_all([*rest, over])
        made = shapely.union_all([item["geom"] for item in union.items])
        assert made.symmetric_difference(union_shape).area < 1e-9

    def test_each_part_knows_where_it_is_from(self, two):
        made = two("intersection")
        assert sorted(made.column("name")) == ["a", "b"]
        assert set(made.column("b_name")) == {"over"}
        assert set(made.column("b_people")) == {7}
        alone = [item for item in two("union").items if item["b_name"] is None]
        assert sorted(item["name"] for item in alone) == ["a", "b", "c", "d"]

    def test_intersection_is_symmetric(self, two):
        rest = {"layer": "squares", "filter": "name <> 'over'"}
        over = {"layer": "squares", "filter": "name = 'over'"}
        one, other = two("intersection"), two("intersection", over, rest)
        assert sorted(one.column("size")) == pytest.approx(sorted(other.column("size")))

    def test_points_and_lines_by_areas(self, shared_map):
        points = execute(shared_map, "overlay", layer="spots", areas="squares")
        assert sorted(points.column("b_name")) == ["a", "a", "a", "b", "b"]
        outside = execute(shared_map, "overlay", layer="spots", areas="squares", how="difference")
        assert outside.column("name") == ["outside"]
        lines = execute(shared_map, "overlay", layer="ways", areas="squares")
        whole = sum(metres(*way) for way in WAYS.values()) / 1000
        assert sum(lines.column("size")) == pytest.approx(whole, rel=1e-6)

    def test_a_union_asks_for_areas(self, shared_map):
        with pytest.raises(BadInput, match="spots has points: give a layer of areas"):
            execute(shared_map, "overlay", layer="spots", areas="squares", how="union")
