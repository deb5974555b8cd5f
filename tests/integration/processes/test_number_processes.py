"""Processes that compute beside the database, over the small map."""

from typing import ClassVar

import h3
import pytest
import shapely
from sqlalchemy import text

from gis.access import ANONYMOUS
from gis.errors import BadInput, NotFound
from tests.integration.processes.conftest import POSTS, WAYS, add, execute, square
from tests.integration.processes.test_vector_processes import area_km2, metres


def dated(database, *days: str, lon: float = 104.05) -> None:
    for day in days:
        add(database, "spots", shapely.Point(lon, 22.05), name="dated", size=1.0, valid_at=day)


DATED = {"layer": "spots", "filter": "name = 'dated'"}


class TestChange:
    PERIODS: ClassVar = {"before": "2025-01-01/2025-01-30", "after": "2025-02-01/2025-03-02"}

    def test_counts_of_both_periods(self, small):
        dated(small, *["2025-01-05T12:00+07"] * 2, *["2025-02-05T12:00+07"] * 20)
        dated(small, *["2025-01-05T12:00+07"] * 3, *["2025-02-05T12:00+07"] * 3, lon=104.15)
        made = execute(small, "change", records=DATED, areas="squares", **self.PERIODS)
        by = made.by("name")
        assert [by["a"][name] for name in ("before", "after", "change")] == [2, 20, "more"]
        assert [by["b"][name] for name in ("before", "after", "change")] == [3, 3, "unclear"]
        assert [by["c"][name] for name in ("before", "after", "p")] == [0, 0, 1]
        assert (made.summary["days_before"], made.summary["days_after"]) == (30, 30)
        assert made.summary["all_areas"]["after"] == 23 and made.summary["changed"] == 1

    @pytest.mark.parametrize(
        ("periods", "what"),
        [
            ({"before": "2025-01-01/2025-02-01", "after": "2025-01-15/2025-03-01"}, "overlap"),
            ({"before": "2025-01-01/..", "after": "2025-01-15/2025-03-01"}, "start and an end"),
            ({"before": "x", "after": "2025-01-15/2025-03-01"}, "datetime"),
        ],
    )
    def test_wrong_periods(self, shared_map, periods, what):
        with pytest.raises(BadInput, match=what):
            execute(shared_map, "change", records="spots", areas="squares", **periods)


class TestLocate:
    def test_one_post_among_points(self, shared_map):
        """Two of the spots are 1 km apart, the others alone."""
        made = execute(shared_map, "locate", demand="spots", k=1, distance_m=1_500)
        assert made.items[0]["reached"] == 2
        assert made.summary["proven"] and made.summary["share"] == pytest.approx(2 / 5)

    def test_weights_sites_and_posts_that_are_there(self, shared_map):
        made = execute(
            shared_map, "locate", demand="spots", weight="size", k=1, distance_m=15_000,
            sites="posts", existing={"layer": "posts", "filter": "name = 'west'"},
        )  # fmt: skip
        geom = made.items[0]["geom"]
        assert (geom.x, geom.y) == pytest.approx(POSTS["east"])
        assert made.summary["reached_before"] == 16  # all but the spot in the east
        assert made.summary["reached"] == 25

    def test_inhabitants_need_to_be_loaded(self, shared_map):
        with pytest.raises(NotFound, match="gis population load"):
            execute(shared_map, "locate", k=1)

    def test_inhabitants(self, populated):
        made = execute(populated, "locate", k=1, distance_m=1_000)
        assert (made.summary["demand"], made.summary["reached"]) == (300, 200)
        assert made.summary["population_quality"] == "gridded"


@pytest.fixture
def populated(small):
    """200 people in the middle of a, 100 in that of c; at each resolution."""
    with small.writing() as connection:
        connection.execute(text(
            "INSERT INTO gis.population_source (source, year, quality, people)"
            " VALUES ('test', 2025, 'gridded', 300)"
        ))  # fmt: skip
        for lon, people in ((104.05, 200), (104.25, 100)):
            for resolution in (7, 8, 9):
                cell = int(h3.latlng_to_cell(22.05, lon, resolution), 16)
                connection.execute(
                    text("INSERT INTO gis.population VALUES (:cell, :people)"),
                    {"cell": cell, "people": people},
                )
    return small


class TestPeople:
    def test_within_areas(self, populated):
        made = execute(populated, "people", layer="squares")
        assert dict(zip(made.column("name"), made.column("people"), strict=True)) == {
            "a": 200, "b": 0, "c": 100, "d": 0,
        }  # fmt: skip
        assert (made.summary["people"], made.summary["of_people"]) == (300, 300)

    def test_around_items_each_counts_once_in_the_sum(self, populated):
        made = execute(populated, "people", layer="spots", distance_m=2_000)
        by = made.by("name")
        assert (by["in_a"]["people"], by["also_in_a"]["people"]) == (200, 200)
        assert made.summary["people"] == 200
        wide = execute(populated, "people", layer="spots", distance_m=200_000)
        assert set(wide.column("people")) == {300} and wide.summary["people"] == 300

    def test_points_need_a_distance(self, populated):
        with pytest.raises(BadInput, match="layer of areas"):
            execute(populated, "people", layer="spots")


class TestReach:
    def test_rings_as_the_crow_flies(self, shared_map):
        made = execute(shared_map, "reach", place=[104.05, 22.05], limits=[2_000, 1_000])
        assert made.column("within") == [1_000, 2_000]
        assert made.summary["method"] == "straight line"
        one, two = made.column("area_km2")
        assert one == pytest.approx(3.1415, rel=5e-3)
        assert one + two == pytest.approx(4 * 3.1415, rel=5e-3)
        assert not made.items[0]["geom"].intersection(made.items[1]["geom"]).area > 1e-9

    def test_along_roads(self, shared_map):
        whole = metres(*WAYS["through_a_and_b"])
        made = execute(
            shared_map, "reach", place=list(WAYS["through_a_and_b"][0]), roads="ways",
            limits=[1_000, 200_000],
        )  # fmt: skip
        assert made.summary["method"] == "along roads"
        assert made.column("length_km") == pytest.approx([1, whole / 1_000 - 1], rel=1e-6)

    def test_by_time_at_the_speed_of_the_road(self, shared_map):
        """36 km/h are 600 m a minute."""
        made = execute(
            shared_map, "reach", place=list(WAYS["through_a_and_b"][0]), roads="ways", by="time",
            speed="kmh", limits=[5],
        )  # fmt: skip
        assert made.column("length_km") == pytest.approx([3], rel=1e-6)

    def test_without_a_road_it_says_so(self, shared_map):
        nowhere = {"layer": "ways", "filter": "name = 'none'"}
        made = execute(shared_map, "reach", origins="posts", roads=nowhere, limits=[100])
        assert made.summary["method"] == "straight line"
        assert made.summary["roads"] == "the layer of roads is empty"


class TestSuitability:
    CRITERIA: ClassVar = [
        {"layer": "posts", "measure": "distance", "worst": 10_000, "best": 0, "weight": 3},
        {"layer": "spots", "measure": "count", "worst": 0, "best": 2, "weight": 1},
    ]

    def test_scores_and_their_parts(self, shared_map):
        made = execute(
            shared_map, "suitability", criteria=self.CRITERIA, areas="squares", resolution=8
        )
        assert made.summary["weights"] == [0.75, 0.25]
        for item in made.items:
            assert item["score"] == pytest.approx(item["part_1"] + item["part_2"])
            assert item["part_1"] == pytest.approx(0.75 * max(0, 1 - item["value_1"] / 10_000))
            assert item["part_2"] == pytest.approx(0.25 * min(item["value_2"] / 2, 1))
            centre = item["geom"].centroid
            nearest = min(metres((centre.x, centre.y), post) for post in POSTS.values())
            assert item["value_1"] == pytest.approx(nearest, rel=2e-3, abs=5)
        assert sum(made.column("value_2")) == 4  # the fifth spot lies outside
        assert made.column("score") == sorted(made.column("score"), reverse=True)
        wanted = sum(area_km2(square(west)) for west in (104.0, 104.1, 104.2, 104.5))
        covered = sum(area_km2(item["geom"].geoms[0]) for item in made.items)
        assert covered == pytest.approx(wanted, rel=0.02)

    def test_constraints_leave_hexes_out(self, shared_map):
        inputs = {"criteria": self.CRITERIA, "areas": "squares", "resolution": 7}
        whole = execute(shared_map, "suitability", **inputs)
        near = {"layer": "posts", "must": "near", "distance_m": 4_000}
        far = {**near, "must": "not_near"}
        one = execute(shared_map, "suitability", constraints=[near], **inputs)
        other = execute(shared_map, "suitability", constraints=[far], **inputs)
        cells = [set(made.column("cell")) for made in (one, other, whole)]
        assert cells[0] | cells[1] == cells[2] and not cells[0] & cells[1]
        within = {"layer": {"layer": "squares", "filter": "name = 'd'"}, "must": "within"}
        apart = execute(shared_map, "suitability", constraints=[within], **inputs)
        assert min(item["geom"].bounds[0] for item in apart.items) > 104.45

    def test_judgements_in_place_of_weights(self, shared_map):
        made = execute(
            shared_map, "suitability", criteria=self.CRITERIA, areas="squares", resolution=7,
            judgements=[[1, 4], [0.25, 1]],
        )  # fmt: skip
        assert made.summary["weights"] == pytest.approx([0.8, 0.2])
        assert made.summary["consistent"]

    def test_too_many_hexes_are_refused(self, shared_map):
        wide = execute(shared_map, "buffer", layer="posts", distance_m=150_000).layer.id
        with pytest.raises(BadInput, match="coarser resolution"):
            execute(shared_map, "suitability", criteria=self.CRITERIA, resolution=10, areas=wide)


class TestCrosswalk:
    def test_with_its_proof(self, lao_cai, catalogue):
        with lao_cai.reading() as connection:
            codes = connection.scalars(text(
                "SELECT DISTINCT o.code FROM gis.admin_change c"
                " JOIN gis.admin_unit o ON o.id = c.old_unit WHERE o.level = 'commune'"
                " ORDER BY 1 LIMIT 40"
            )).all()  # fmt: skip
        values = dict.fromkeys(codes, 100.0)
        made = execute(lao_cai, "crosswalk", ANONYMOUS, catalogue, values=values)
        assert made.summary["total_before"] == 4_000
        assert made.summary["difference"] == pytest.approx(0, abs=1e-9)
        assert sum(made.column("value")) == pytest.approx(4_000)
        assert all(item["geom"].is_valid for item in made.items)
        back = execute(
            lao_cai, "crosswalk", ANONYMOUS, catalogue, from_units="commune", to_units="district",
            values={item["code"]: item["value"] for item in made.items}, weight="area",
        )  # fmt: skip
        assert sum(back.column("value")) == pytest.approx(4_000)
        with pytest.raises(BadInput, match="99999 is no code of a ward"):
            execute(lao_cai, "crosswalk", ANONYMOUS, catalogue, values={"99999": 1})
