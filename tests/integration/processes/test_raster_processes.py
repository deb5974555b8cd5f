"""Processes of rasters over three square communes, 10 × 10 pixels each."""

import json
import re
from typing import ClassVar

import numpy as np
import pytest
import rasterstats
import shapely
from sqlalchemy import text

from gis.access import ANONYMOUS, LOCAL_ADMIN
from gis.errors import BadInput, NotFound, Unavailable
from gis.hexes import boundaries
from gis.rasters import loader
from gis.settings import ROOT
from layers.processes.runs import readable_result
from tests.integration.processes.conftest import add, execute
from tests.integration.raster_desk import Desk

ROWS, COLUMNS = np.mgrid[0:10, 0:30]
NAN = np.nan


@pytest.fixture
def desk(toy_province, catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "run_confined", loader.run_here)  # spares two Pythons a file
    return Desk(toy_province, catalogue, tmp_path)


def ask(desk, name, who=LOCAL_ADMIN, **inputs):
    return execute(desk.database, name, who, desk.catalogue, desk.settings.rasters, **inputs)


def by_commune(made, name):
    return [made.by("code")[code][name] for code in ("00001", "00004", "00007")]


def add_rain(desk, **days):
    """Rain of days of September 2024 by commune, mm; None: nothing is known there."""
    for day, amounts in days.items():
        values = np.repeat([NAN if mm is None else mm for mm in amounts], 10) + 0 * ROWS
        desk.add("rain_daily", values.astype(np.float32), f"{day}.tif",
                 file={"nodata": NAN}, time=f"2024-09-{day[1:]}")  # fmt: skip


class TestZonal:
    @pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of rasterstats
    def test_by_commune_and_beside_rasterstats(self, desk):
        values = (COLUMNS * 10 + ROWS).astype(np.float32)
        desk.add("elevation", values)
        made = ask(desk, "zonal", raster="elevation", statistics=["mean", "sum", "min", "max"])
        assert by_commune(made, "mean") == pytest.approx([49.5, 149.5, 249.5])
        assert by_commune(made, "max") == [99, 199, 299]
        assert sum(made.column("sum")) == pytest.approx(values.sum())
        (path,) = desk.files()
        other = rasterstats.zonal_stats(made.column("geom"), str(path), stats=["mean", "min"])
        assert made.column("mean") == pytest.approx([each["mean"] for each in other])
        assert made.column("min") == [each["min"] for each in other]
        assert made.column("mean") == sorted(made.column("mean"), reverse=True)

    def test_by_hex_the_total_of_people_is_by_the_share_of_each_pixel(self, desk):
        people = np.random.default_rng(1).uniform(0, 9, (10, 30)).astype(np.float32)
        desk.add("inhabitants_grid", people)
        made = ask(desk, "zonal", raster="inhabitants_grid", resolution=8)
        west, north = 104 + COLUMNS.ravel() * 0.01, 22.1 - ROWS.ravel() * 0.01
        boxes = shapely.box(west, north - 0.01, west + 0.01, north)
        for item in made.items[:: len(made.items) // 9]:
            (cell,) = boundaries([int(item["cell"], 16)])
            shares = shapely.area(shapely.intersection(boxes, cell)) / shapely.area(boxes)
            assert item["sum"] == pytest.approx(float((shares * people.ravel()).sum()), rel=1e-5)
        assert sum(made.column("sum")) <= people.sum() * 1.001

    def test_classes_have_the_names_and_colours_of_their_layer(self, desk):
        desk.add("landslide_susceptibility", (1 + COLUMNS // 10).astype(np.uint8))
        made = ask(desk, "zonal", raster="landslide_susceptibility")
        assert by_commune(made, "majority") == [1, 2, 3]
        assert by_commune(made, "class") == ["1", "2", "3"]
        assert made.layer.fields["class"].values["3"].vi == "Cao"
        assert made.layer.style.classes[0].colour == "#2b83ba"

    def test_a_step_is_chosen_by_its_day(self, desk):
        add_rain(desk, d10=(1, 2, 3), d11=(10, 20, None))
        made = ask(desk, "zonal", raster={"layer": "rain_daily", "datetime": "2024-09-10"})
        assert by_commune(made, "mean") == pytest.approx([1, 2, 3])
        assert made.summary["from"] == "2024-09-09T12:00:00Z"
        until = ask(desk, "zonal", raster={"layer": "rain_daily", "datetime": "../2024-09-10"})
        assert by_commune(until, "mean") == pytest.approx([1, 2, 3])
        newest = ask(desk, "zonal", raster="rain_daily")
        assert by_commune(newest, "mean") == [10, 20, None]
        assert newest.summary["without_value"] == 1
        with pytest.raises(NotFound, match="no step at that time"):
            ask(desk, "zonal", raster={"layer": "rain_daily", "datetime": "2024-10-10"})
        with pytest.raises(BadInput, match="0001-01-01' is wrong"):
            ask(desk, "zonal", raster={"layer": "rain_daily", "datetime": "0001-01-01"})

    def test_what_is_not_there_is_said(self, desk):
        with pytest.raises(NotFound, match="no raster yet"):
            ask(desk, "zonal", raster="elevation")
        with pytest.raises(NotFound, match="no raster layer"):
            ask(desk, "zonal", raster="communes")
        desk.add("elevation", np.ones((10, 30), np.float32))
        with pytest.raises(BadInput, match="has points"):
            ask(desk, "zonal", raster="elevation", areas="citizen_reports")
        with pytest.raises(Unavailable, match="GIS_HOME"):
            execute(desk.database, "zonal", LOCAL_ADMIN, desk.catalogue, raster="elevation")

    def test_a_result_is_gone_with_the_right_to_its_raster(self, desk):
        desk.add("elevation", np.ones((10, 30), np.float32))
        made = ask(desk, "zonal", who=ANONYMOUS, raster="elevation")
        set_right = text(
            "UPDATE gis.raster_layer SET definition = jsonb_set(definition, '{access,read}', :to)"
            " WHERE id = 'elevation'"
        )
        with desk.database.writing() as connection:
            connection.execute(set_right, {"to": '"department"'})
        with desk.database.reading() as connection:
            with pytest.raises(NotFound, match="no layer result_"):
                readable_result(connection, made.run.id, desk.catalogue, ANONYMOUS)
            readable_result(connection, made.run.id, desk.catalogue, LOCAL_ADMIN)
        with pytest.raises(NotFound, match="no raster layer"):
            ask(desk, "zonal", who=ANONYMOUS, raster="elevation")
        with desk.database.writing() as connection:
            connection.execute(text("UPDATE gis.raster_layer SET published = false"))
        with desk.database.reading() as connection, pytest.raises(NotFound):
            readable_result(connection, made.run.id, desk.catalogue, LOCAL_ADMIN)


METRE_X, METRE_Y = 1032.6, 1107.4  # of 0.01° at 22.05° N, WGS 84


class TestTerrain:
    def test_a_plane_that_falls_to_the_east(self, desk):
        desk.add("elevation", (3000 - COLUMNS * 100 + 0 * ROWS).astype(np.float32))
        made = ask(desk, "terrain")
        steep = np.degrees(np.arctan(100 / METRE_X))
        assert made.column("slope_deg") == pytest.approx([steep] * 3, abs=0.02)
        assert made.column("aspect_deg") == pytest.approx([90] * 3, abs=0.01)
        assert set(made.column("faces")) == {"E"}
        assert by_commune(made, "height_m") == pytest.approx([2550, 1550, 550])
        assert by_commune(made, "relief_m") == [900, 900, 900]

    @pytest.mark.parametrize(
        ("east", "north", "faces"),
        [(0, 1, "S"), (0, -1, "N"), (1, 0, "W"), (1, 1.0724, "SW"), (-1, -1.0724, "NE")],
    )
    def test_it_faces_where_it_falls(self, desk, east, north, faces):
        values = 1000 + 20 * (east * COLUMNS - north * ROWS)
        desk.add("elevation", values.astype(np.float32))
        assert set(ask(desk, "terrain", measures=["aspect"]).column("faces")) == {faces}

    def test_water_runs_to_the_river_and_gathers_in_it(self, desk):
        """Down from both sides to the row in the middle, and there to the east."""
        values = 500 + np.abs(ROWS - 5) * 50.0 - COLUMNS
        desk.add("elevation", values.astype(np.float32))
        made = ask(desk, "terrain", measures=["flow", "river"], river_km2=1_000)
        assert made.column("river_m") == [None] * 3  # nowhere so much
        pixel = METRE_X * METRE_Y / 1e6
        # Ten pixels of a column reach the river in the next one, but for two of the first.
        assert made.summary["rivers"] == "where more than 1000 km² drain"
        assert max(made.column("upstream_km2")) == pytest.approx(300 * pixel, rel=0.1)
        made = ask(desk, "terrain", measures=["river"], river_km2=3)
        assert all(0 < metres < 5 * METRE_Y for metres in made.column("river_m"))

    def test_a_layer_of_rivers_counts_where_it_is_given(self, desk):
        desk.add("elevation", (3000 - COLUMNS * 100 + 0 * ROWS).astype(np.float32))
        with desk.database.writing() as connection:
            connection.execute(text(
                "INSERT INTO layer.rivers (source, source_key, geom) VALUES ('test', '1',"
                " ST_GeomFromText('MULTILINESTRING((104.205 22, 104.205 22.1))', 4326))"
            ))  # fmt: skip
        made = ask(desk, "terrain", measures=["river"], rivers="rivers")
        west, middle, east = by_commune(made, "river_m")
        assert west == pytest.approx(15.5 * METRE_X, rel=1e-3)
        assert middle == pytest.approx(5.5 * METRE_X, rel=1e-3)
        assert east == 0  # its other pixels drain out of the raster
        assert made.summary["rivers"] == "rivers"

    def test_without_a_river_none_is_reached(self, desk):
        desk.add("elevation", (1000 - COLUMNS * 10 + 0 * ROWS).astype(np.float32))
        with pytest.raises(BadInput, match="leave `rivers` empty"):
            ask(desk, "terrain", measures=["river"], rivers="rivers")

    def test_other_things_than_heights_are_refused(self, desk):
        add_rain(desk, d10=(1, 1, 1))
        with pytest.raises(BadInput, match="heights in m"):
            ask(desk, "terrain", heights="rain_daily")


class TestRain:
    DAYS: ClassVar = {"d10": (10, 100, 0), "d11": (40, 100, None), "d12": (0, 1, 2)}

    def test_sums_and_what_they_exceed(self, desk):
        add_rain(desk, **self.DAYS)
        made = ask(desk, "rain", until="2024-09-11", hours=48, thresholds=[200, 50])
        assert by_commune(made, "rain_mm") == [50, 200, None]
        assert by_commune(made, "exceeded") == [1, 2, None]
        assert by_commune(made, "share_50") == [1, 1, None]
        assert by_commune(made, "share_200") == [0, 1, None]
        assert by_commune(made, "known") == [1, 1, 0]
        assert (made.summary["from"], made.summary["to"]) == (
            "2024-09-09T12:00:00Z", "2024-09-11T12:00:00Z",
        )  # fmt: skip
        newest = ask(desk, "rain", resolution=7)
        assert newest.summary["to"] == "2024-09-12T12:00:00Z"
        assert set(newest.column("exceeded")) == {0}

    @pytest.mark.parametrize(
        "inputs",
        [
            {"until": "2024-09-10", "hours": 48},
            {"until": "2024-09-13"},
            {"hours": 36},
            {"until": "2024-09-11T00:00:00+07:00"},
        ],
    )
    def test_no_part_of_a_step_is_taken_and_none_that_is_missing(self, desk, inputs):
        add_rain(desk, **self.DAYS)
        with pytest.raises(BadInput, match="do not make up"):
            ask(desk, "rain", **inputs)

    def test_an_amount_that_is_given_twice_counts_once(self, desk):
        add_rain(desk, **self.DAYS)
        made = ask(desk, "rain", until="2024-09-11", thresholds=[40, 5.5, 40])
        assert by_commune(made, "exceeded") == [2, 2, None]
        assert by_commune(made, "share_5_5") == [1, 1, None]

    @pytest.mark.parametrize("amount", [1e-9, 0, 100.0004, 5000.1])
    def test_an_amount_that_names_no_property_is_refused(self, desk, amount):
        with pytest.raises(BadInput, match=r"from 0\.1 to 5,000 mm"):
            ask(desk, "rain", thresholds=[100, amount])

    @pytest.mark.parametrize("until", ["yesterday", "2024-09-11T00:00:00", "2024-13-41"])
    def test_a_wrong_end_says_what_would_be_right(self, desk, until):
        add_rain(desk, **self.DAYS)
        with pytest.raises(BadInput, match="such as 2024-09-10"):
            ask(desk, "rain", until=until)


GAUGES = {"layer": "spots", "filter": "name = 'gauge'"}
GAUGED: dict = {
    "gauges": GAUGES, "field": "size", "until": "2024-09-10", "hours": 2, "areas": "squares",
    "thresholds": [20],
}  # fmt: skip


def read_gauge(database, lon, *readings):
    """Readings at 18:00 and 19:00, the end of the rain day of the 10th, mm."""
    for hour, mm in zip((18, 19), readings, strict=False):
        add(database, "spots", shapely.Point(lon, 22.05), name="gauge", size=mm,
            valid_at=f"2024-09-10T{hour}:00:00+07:00")  # fmt: skip


class TestGauges:
    def test_between_two_gauges_by_the_distance_to_each(self, small):
        read_gauge(small, 104.05, 4, 6)
        read_gauge(small, 104.25, 10, 20)
        made = execute(small, "rain", resolution=8, **GAUGED)
        wide = {"rain": made.column("rain_mm"), "km": made.column("nearest_km")}
        known = [mm for mm in wide["rain"] if mm is not None]
        assert min(known) >= 10 and 29 < max(known) < 30.001
        assert made.summary["gauges"] == 2
        assert made.summary["mean_error_mm"] == pytest.approx(20)  # each from the other
        assert made.summary["bias_mm"] == pytest.approx(0)
        areas = execute(small, "rain", **GAUGED).by("name")
        assert areas["a"]["rain_mm"] < areas["b"]["rain_mm"] < areas["c"]["rain_mm"]
        assert areas["a"]["rain_mm"] == pytest.approx(10.5, abs=1)
        assert areas["b"]["rain_mm"] == pytest.approx(20, abs=0.5)
        assert (areas["a"]["share_20"], areas["c"]["share_20"]) == (0, 1)
        assert 8 < areas["b"]["nearest_km"] < 11

    def test_beyond_25_km_nothing_is_said(self, small):
        read_gauge(small, 104.05, 5, 5)
        made = execute(small, "rain", **GAUGED).by("name")
        assert made["a"]["rain_mm"] == pytest.approx(10)
        assert (made["d"]["rain_mm"], made["d"]["exceeded"], made["d"]["known"]) == (None, None, 0)
        assert made["d"]["nearest_km"] > 45

    def test_a_gauge_with_a_gap_has_not_measured_the_hours(self, small):
        read_gauge(small, 104.05, 5, 5)
        read_gauge(small, 104.07, 50)  # one hour is missing
        read_gauge(small, 104.09, 50, None)  # one has no value
        read_gauge(small, 104.03, 50, 50)
        read_gauge(small, 104.03, 50, 50)  # sent twice
        made = execute(small, "rain", **GAUGED)
        assert (made.summary["gauges"], made.summary["left_out"]) == (1, 3)
        assert made.by("name")["a"]["rain_mm"] == pytest.approx(10)

    def test_without_a_reading_it_says_so(self, small):
        with pytest.raises(BadInput, match="no gauge of spots has a reading"):
            execute(small, "rain", **GAUGED)


@pytest.fixture(scope="module")
def wet(postgres, toy_template, catalogue, tmp_path_factory):
    """After dry days: in the west 150 mm after two days of rain, in the middle the same of high
    susceptibility, in the east very high, of which the table has no row.
    """
    dry = {f"d{day:02}": (0, 0, 0) for day in range(1, 9)}
    classes = np.repeat([1, 3, 4], 10) + 0 * ROWS
    with postgres.opened(toy_template) as database, pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "run_confined", loader.run_here)
        desk = Desk(database, catalogue, tmp_path_factory.mktemp("wet"))
        add_rain(desk, **dry, d09=(5, 5, 5), d10=(5, 5, 5), d11=(150, 150, 150))
        desk.add("landslide_susceptibility", classes.astype(np.uint8))
        yield desk


class TestRisk:
    """Article 46 of the Decision: 150 mm after two days of rain."""

    def test_levels_of_the_law_and_what_is_in_no_row(self, wet):
        made = ask(wet, "risk", until="2024-09-11", resolution=8)
        states = {item["state"]: item for item in made.items}
        assert set(states) == {"level_1", "level_2", "unknown"}
        assert {item["susceptibility"]: item["state"] for item in made.items} == {
            1: "level_1", 3: "level_2", 4: "unknown",
        }  # fmt: skip
        assert (states["unknown"]["level"], states["unknown"]["article"]) == (None, None)
        assert (states["level_2"]["rain_mm"], states["level_2"]["days_before"]) == (150, 2)
        assert states["level_2"]["article"] == "46"
        assert made.items[0]["level"] == 2 and made.items[-1]["level"] is None
        assert made.summary["unknown"] + made.summary["at_risk"] == made.summary["hexes"]
        assert made.summary["decision"] == "18/2021/QĐ-TTg, 46"
        assert "chưa hiệu chỉnh" in made.summary["second_opinions"]
        # 150 mm are above both published thresholds.
        assert set(made.column("threshold_ha_giang")) == {"reached"}
        assert set(made.column("threshold_mai_chau")) == {"reached"}

    def test_the_bounds_of_the_law_hold_to_the_millimetre(self, desk):
        """The mean of pixels that all have 100 mm is 100 mm, and not a rounding less."""
        add_rain(desk, d09=(0, 0, 0), d10=(5, 5, 5))
        desk.add("landslide_susceptibility", np.ones((10, 30), np.uint8))
        for mm, state in ((100, "level_1"), (200, "level_1"), (99.9, "none")):
            add_rain(desk, d11=(mm, mm, mm))
            made = ask(desk, "risk", until="2024-09-11", resolution=8)
            assert set(made.column("state")) == {state}, mm

    def test_little_rain_has_no_level_and_a_missing_day_is_unknown(self, wet):
        made = ask(wet, "risk", until="2024-09-10", resolution=7)
        assert set(made.column("state")) == {"none"} and made.summary["highest"] == 0
        made = ask(wet, "risk", until="2024-09-12", resolution=7)
        assert set(made.column("state")) == {"unknown"} and made.summary["highest"] is None
        assert set(made.column("threshold_ha_giang")) == {"unknown"}

    @pytest.mark.parametrize(
        ("inputs", "said"),
        [
            ({"until": "0001-01-05"}, "give a day from 1900 on"),
            ({"susceptibility": "rain_daily"}, "no raster layer of susceptibility"),
            ({"susceptibility_of_five": "rain_daily"}, "no raster layer of susceptibility"),
        ],
    )
    def test_what_has_no_level_is_refused(self, wet, inputs, said):
        with pytest.raises(BadInput, match=said):
            ask(wet, "risk", **inputs)

    def test_people_roads_and_records_of_the_hexes(self, wet):
        with wet.database.writing() as connection:
            for statement in MET.split(";"):
                connection.execute(text(statement))
        made = ask(wet, "risk", until="2024-09-11", roads="roads", records="citizen_reports")
        assert sum(made.column("records")) == 2
        # 0.2° of longitude at 22.05° N, but for the ends, which lie in hexes with a centre outside.
        assert sum(made.column("roads_km")) == pytest.approx(0.2 * 103.26, rel=0.01)
        assert made.summary["records_at_risk"] == 1
        assert "people" not in made.items[0]

    def test_the_nowcast_of_lhasa_is_unknown_without_a_year_of_rain(self, wet):
        five = {"susceptibility_of_five": "landslide_susceptibility"}
        made = ask(wet, "risk", until="2024-09-11", **five)
        assert set(made.column("lhasa")) == {"unknown"}


MET = """
INSERT INTO layer.roads (source, source_key, geom) VALUES ('test', '1',
  ST_GeomFromText('MULTILINESTRING((104.05 22.05, 104.25 22.05))', 4326));
INSERT INTO layer.citizen_reports (source, source_key, geom, valid_at, category, status) VALUES
  ('test', '1', ST_Point(104.05, 22.05, 4326), now(), 'traffic', 'received'),
  ('test', '2', ST_Point(104.27, 22.05, 4326), now(), 'traffic', 'received')
"""


PLANNERS = (ROOT / "docs" / "how-to" / "planners.md").read_text(encoding="utf-8")
QUESTION_12 = json.loads(
    re.search(r"suitability/execution.*?-d '(.*?)'\n", PLANNERS, re.DOTALL)[1]
)["inputs"]


class TestSuitabilityByRasters:
    def test_question_12_steep_wet_and_with_houses_or_roads(self, desk):
        """Steep in the middle, wet there and in the east; a road in the north, houses in the south.

        As the page for planners asks it.
        """
        heights = 100 + np.abs((COLUMNS % 10) - 5) * np.where(COLUMNS // 10 == 1, 600, 1)
        desk.add("elevation", (heights + 0 * ROWS).astype(np.float32))
        add_rain(desk, d10=(20, 150, 150))
        with desk.database.writing() as connection:
            connection.execute(text(
                "INSERT INTO layer.roads (source, source_key, geom) VALUES ('test', '1',"
                " ST_GeomFromText('MULTILINESTRING((104.0 22.08, 104.3 22.08))', 4326))"
            ))  # fmt: skip
        houses = np.where(ROWS == 8, 50, 0) + 0 * COLUMNS
        desk.add("inhabitants_grid", houses.astype(np.float32))
        made = ask(desk, "suitability", **QUESTION_12)
        by_road = [item for item in made.items if item["part_2"] > 0]
        by_house = [item for item in made.items if item["part_1"] > 0]
        assert by_road and by_house and len(by_road) + len(by_house) >= len(made.items)
        for item in made.items:
            assert 104.09 < item["geom"].centroid.x < 104.21
        for item in by_road:
            assert abs(item["geom"].centroid.y - 22.08) < 0.005
        for item in by_house:
            assert 22.0 < item["geom"].centroid.y < 22.03
        assert made.summary["below_least_score"] > 0

    def test_rasters_are_criteria_too(self, desk):
        desk.add("elevation", (COLUMNS * 100.0 + 0 * ROWS).astype(np.float32))
        made = ask(
            desk, "suitability", resolution=7,
            criteria=[{"layer": "elevation", "measure": "raster", "worst": 0, "best": 2900}],
        )  # fmt: skip
        for item in made.items:
            assert item["score"] == pytest.approx(item["value_1"] / 2900)
        lows = [each.at_least for each in made.layer.style.classes]
        assert lows == sorted(lows) and len(lows) == 5
        assert lows[0] <= min(made.column("score"))
        labels = [each.label for each in made.layer.style.classes]
        assert labels[0].vi.startswith("từ 0,") and labels[-1].en.endswith("and more")

    @pytest.mark.parametrize(
        ("wrong", "what"),
        [
            ({"must": "above"}, "`value`"),
            ({"must": "within", "value": 3}, "`value`"),
            ({"must": "above", "value": 3,
              "layer": {"layer": "elevation", "filter": "a = 1"}}, "no records to filter"),
        ],
    )  # fmt: skip
    def test_what_a_constraint_needs_is_said(self, desk, wrong, what):
        criteria = [{"layer": "roads", "worst": 600, "best": 0}]
        with pytest.raises(BadInput, match=what):
            ask(desk, "suitability", criteria=criteria,
                constraints=[{"layer": "elevation", **wrong}])  # fmt: skip


class TestReachWithSlope:
    """From the middle at 60 m a minute, ten minutes."""

    ASKED: ClassVar = {"place": [104.15, 22.05], "by": "time", "speed_kmh": 3.6, "limits": [10, 5]}

    def test_level_ground_gives_circles(self, desk):
        desk.add("elevation", np.full((10, 30), 700, np.float32))
        made = ask(desk, "reach", **self.ASKED)
        assert made.summary["method"] == "straight line with slope"
        assert (made.summary["without_height"], made.summary["roads"]) == (0, "none")
        without_roads = ask(desk, "reach", roads="roads", **self.ASKED)
        assert without_roads.summary["roads"] == "the layer of roads is empty"
        assert made.column("within") == [5, 10]
        assert sum(made.column("area_km2")) == pytest.approx(np.pi * 0.6**2, rel=5e-3)
        assert made.column("area_km2")[0] == pytest.approx(np.pi * 0.3**2, rel=5e-3)

    def test_uphill_is_slow_and_gently_downhill_is_fast(self, desk):
        """Rises 10 % to the east: there speed falls to e^(-0.35), to the west it is as on level
        ground, since Tobler's greatest lies between, at 5 %.
        """
        desk.add("elevation", (100 + COLUMNS * 103.26 + 0 * ROWS).astype(np.float32))
        made = ask(desk, "reach", **{**self.ASKED, "limits": [10]})
        (item,) = made.items
        across = shapely.LineString([(104.0, 22.05), (104.3, 22.05)]).intersection(item["geom"])
        upright = shapely.LineString([(104.15, 22.0), (104.15, 22.1)]).intersection(item["geom"])
        west, _, east, _ = across.bounds
        metre = 0.01 / METRE_X
        assert (east - 104.15) / metre == pytest.approx(600 * np.exp(-0.35), rel=0.01)
        assert (104.15 - west) / metre == pytest.approx(600, rel=0.01)
        assert (upright.bounds[3] - 22.05) / (0.01 / METRE_Y) == pytest.approx(600, rel=0.02)

    def test_without_heights_it_is_level_and_says_so(self, desk):
        made = ask(desk, "reach", **self.ASKED)
        assert made.summary["method"] == "straight line"
        with pytest.raises(NotFound, match="no raster yet"):
            ask(desk, "reach", heights="elevation", **self.ASKED)

    def test_where_heights_end_the_ground_is_taken_for_level(self, desk):
        values = np.where(COLUMNS < 16, 700, NAN).astype(np.float32)
        desk.add("elevation", values, file={"nodata": NAN})
        made = ask(desk, "reach", **self.ASKED)
        assert 0.05 < made.summary["without_height"] < 0.4
        assert sum(made.column("area_km2")) == pytest.approx(np.pi * 0.6**2, rel=5e-3)

    def test_distances_are_as_the_crow_flies(self, desk):
        desk.add("elevation", np.full((10, 30), 700, np.float32))
        made = ask(desk, "reach", place=[104.15, 22.05], limits=[500])
        assert made.summary["method"] == "straight line"
