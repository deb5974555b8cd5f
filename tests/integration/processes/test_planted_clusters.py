"""The processes of hotspots and of the scan find what was planted, as independent ways do."""

import re
from datetime import date, timedelta

import h3
import numpy as np
import pytest
import shapely
from sqlalchemy import text

from gis import analysis
from gis.access import LOCAL_ADMIN
from gis.errors import BadInput
from tests.integration.processes.conftest import execute

SCANNED = {"layer": "spots", "filter": "name LIKE 'case%'"}
HERE = (104.15, 22.05)
FAR = {"max_radius_km": 3, "max_days": 7, "resolution": 8, "replicates": 199}

PLANT = text("""
INSERT INTO layer.spots (geom, source, source_key, name, size, valid_at)
SELECT ST_Point(lon, lat, 4326), 'test', gen_random_uuid()::text, name, 1, CAST(at AS timestamptz)
FROM unnest(CAST(:lon AS float8[]), CAST(:lat AS float8[]), CAST(:name AS text[]),
  CAST(:at AS text[])) AS given (lon, lat, name, at)
""")


def hex_of(lon, lat):
    """The hex of resolution 8 that counts a record: that of its finest cell."""
    return h3.cell_to_parent(h3.latlng_to_cell(lat, lon, 11), 8)


def plant(database, lon, lat, days, name):
    """Cases at noon of days that are counted back from 31 March 2026."""
    at = [f"{date(2026, 3, 31) - timedelta(int(back))}T12:00+07" for back in days]
    values = {"lon": list(lon), "lat": list(lat), "name": [name] * len(at), "at": at}
    with database.writing() as connection:
        connection.execute(PLANT, values)


def scattered(count=240, seed=7):
    random = np.random.default_rng(seed)
    return (
        random.uniform(104.0, 104.3, count),
        random.uniform(22.0, 22.1, count),
        random.integers(0, 90, count),
    )


@pytest.fixture
def outbreak(small):
    """Cases all over the map in 90 days, and nine more within a kilometre in the last five."""
    plant(small, *scattered(), "case")
    random = np.random.default_rng(1)
    east, north = random.uniform(-0.006, 0.006, (2, 9))
    plant(small, HERE[0] + east, HERE[1] + north, np.arange(9) % 5, "case_planted")
    return small


class TestScan:
    def test_the_planted_cluster_is_found_with_its_days_and_place(self, outbreak):
        made = execute(outbreak, "scan", records=SCANNED, **FAR)
        first = made.items[0]
        assert first["rank"] == 1 and first["geom"].contains(shapely.Point(HERE))
        assert first["p"] < 0.01 and first["ratio"] > 2
        assert first["days"] <= 7 and first["first_day"] >= "2026-03-25"
        assert (made.summary["last_day"], made.summary["first_day"]) == ("2026-03-31", "2026-01-01")
        assert made.summary["p"] == first["p"]
        again = execute(outbreak, "scan", records=SCANNED, **FAR)
        assert [item["p"] for item in again.items] == [item["p"] for item in made.items]

    def test_of_scattered_cases_alone_chance_explains_the_strongest(self, small):
        plant(small, *scattered(), "case")
        made = execute(small, "scan", records=SCANNED, **FAR)
        assert made.summary["p"] > 0.05

    def test_the_days_of_before_do_not_know_it(self, outbreak):
        made = execute(outbreak, "scan", records=SCANNED, until="2026-03-25", **FAR)
        assert made.summary["p"] > 0.05
        assert made.summary["outside_the_days"] > 0

    def test_numbers_are_those_of_the_statistic_itself(self, outbreak):
        made = execute(outbreak, "scan", records=SCANNED, once=False, **FAR)
        with outbreak.reading() as connection:
            rows = connection.execute(text(
                "SELECT ST_X(geom), ST_Y(geom), (valid_at AT TIME ZONE interval '7 hours')::date"
                " FROM layer.spots WHERE name LIKE 'case%' ORDER BY id"
            )).all()  # fmt: skip
        cells = [hex_of(lon, lat) for lon, lat, _ in rows]
        known = sorted(set(cells))
        centres = np.radians([h3.cell_to_latlng(cell)[::-1] for cell in known])
        xy = 6_371_007.2 * np.column_stack(
            [centres[:, 0] * np.cos(centres[:, 1].mean()), centres[:, 1]]
        )
        theirs = analysis.stp_scan(
            [known.index(cell) for cell in cells], [day.toordinal() for *_, day in rows], xy,
            max_radius=3_000, max_days=7, null=analysis.Null(99),
        )  # fmt: skip
        first, other = made.items[0], theirs.iloc[0]
        assert (first["observed"], first["days"]) == (other["observed"], other["days"])
        assert first["expected"] == pytest.approx(other["expected"])
        assert first["llr"] == pytest.approx(other["llr"])

    def test_days_without_a_point_are_refused_and_not_quiet(self, outbreak):
        for until, said in (("2020-01-01", "they are of"), ("0001-01-01", "1900-01-01")):
            with pytest.raises(BadInput, match=said):
                execute(outbreak, "scan", records=SCANNED, until=until)

    def test_one_caller_is_not_many(self, small):
        """Twenty calls about one hex on one day are one case."""
        plant(small, *scattered(), "case")
        plant(small, [HERE[0]] * 20, [HERE[1]] * 20, [0] * 20, "case_of_one")
        once = execute(small, "scan", records=SCANNED, **FAR)
        assert once.summary["p"] > 0.05
        each = execute(small, "scan", records=SCANNED, once=False, **FAR)
        assert each.summary["p"] < 0.01

    @pytest.mark.parametrize(
        ("records", "what"),
        [
            ({"layer": "spots", "filter": "name = 'nobody'"}, "no point with a time"),
            ("squares", "give a layer of points"),
        ],
    )
    def test_what_cannot_be_scanned_is_said(self, shared_map, records, what):
        with pytest.raises(BadInput, match=what):
            execute(shared_map, "scan", records=records)


REPORTS = text("""
INSERT INTO layer.citizen_reports (geom, h3, commune, category, status, valid_at, received_at,
  source, source_key)
SELECT ST_Point(lon, lat, 4326), cell, '00001', category, 'received', now() - age, now() - age,
  'test', gen_random_uuid()::text
FROM unnest(CAST(:lon AS float8[]), CAST(:lat AS float8[]), CAST(:cell AS bigint[]),
  CAST(:age AS interval[]), CAST(:category AS text[])) AS given (lon, lat, cell, age, category)
""")


@pytest.fixture(scope="module")
def reported(postgres, toy_template):
    """Reports all over the province in twelve weeks, and 60 more in one hex and around it in the
    last of them, of several subjects and hours apart, so that none is a repeat of another.
    """
    random = np.random.default_rng(4)
    lon, lat = random.uniform(104.0, 104.3, 200), random.uniform(22.0, 22.1, 200)
    number = np.arange(60)  # at the corners of a grid of 130 m
    lon = np.append(lon, HERE[0] + (number % 8 - 3.5) * 0.0013)
    lat = np.append(lat, HERE[1] + (number // 8 - 3.5) * 0.0012)
    cells = [h3.str_to_int(h3.latlng_to_cell(y, x, 11)) for x, y in zip(lon, lat, strict=True)]
    hours = np.append(random.permutation(np.linspace(1, 2_000, 200)), np.linspace(2, 140, 60))
    age = [f"{minutes} minutes" for minutes in (60 * hours).astype(int)]
    subjects = ["traffic", "security", "infrastructure", "environment", "power"]
    values = {"lon": lon.tolist(), "lat": lat.tolist(), "cell": cells, "age": age,
              "category": subjects * 52}  # fmt: skip
    with postgres.opened(toy_template) as database:
        with database.writing() as connection:
            connection.execute(REPORTS, values)
        yield database, lon, lat


def neighbours(cells, resolution=8):
    """Queen weights of hexes for libpysal."""
    from libpysal.weights import W

    inside = set(cells)
    return W({cell: [n for n in h3.grid_ring(cell, 1) if n in inside] for cell in cells},
             silence_warnings=True)  # fmt: skip


class TestHotspots:
    @pytest.mark.parametrize("method", ["gi_star", "local_moran", "emerging"])
    def test_what_was_planted_is_found(self, reported, catalogue, method):
        database, _, _ = reported
        made = execute(
            database, "hotspots", LOCAL_ADMIN, catalogue, layer="citizen_reports", method=method,
            resolution=8, **({} if method == "emerging" else {"window_days": 90}),
        )  # fmt: skip
        planted = h3.latlng_to_cell(HERE[1], HERE[0], 8)
        near = set(h3.grid_disk(planted, 2))
        assert planted in made.column("cell")
        hot = [item for item in made.items
               if re.match("hot|high_high", item.get("category", "hot"))]  # fmt: skip
        assert hot and {item["cell"] for item in hot} <= near
        assert (made.summary["records"], made.summary["left_out"].get("same_place", 0)) == (260, 0)

    def test_gi_star_has_the_counts_of_the_records_and_the_z_of_esda(self, reported, catalogue):
        esda = pytest.importorskip("esda")
        database, lon, lat = reported
        made = execute(
            database, "hotspots", LOCAL_ADMIN, catalogue, layer="citizen_reports", resolution=8,
            window_days=90,
        )  # fmt: skip
        counts = dict.fromkeys(_province(database), 0)
        for x, y in zip(lon, lat, strict=True):
            cell = hex_of(x, y)
            counts[cell] = counts.get(cell, 0) + 1
        cells = sorted(counts)
        weights = neighbours(cells)
        values = np.array([counts[cell] for cell in weights.id_order], float)
        theirs = esda.G_Local(values, weights, star=True, transform="B", permutations=0)
        z = dict(zip(weights.id_order, theirs.Zs, strict=True))
        assert made.items
        for item in made.items:
            assert item["count"] == counts[item["cell"]]
            around = [cell for cell in h3.grid_disk(item["cell"], 1) if cell in counts]
            assert item["neighbours_count"] == sum(counts[cell] for cell in around)
            assert item["z"] == pytest.approx(z[item["cell"]], rel=1e-6)

    def test_local_moran_is_that_of_esda(self, reported, catalogue):
        esda = pytest.importorskip("esda")
        database, lon, lat = reported
        made = execute(
            database, "hotspots", LOCAL_ADMIN, catalogue, layer="citizen_reports",
            method="local_moran", resolution=8, window_days=90,
        )  # fmt: skip
        counts = dict.fromkeys(_province(database), 0)
        for x, y in zip(lon, lat, strict=True):
            cell = hex_of(x, y)
            counts[cell] = counts.get(cell, 0) + 1
        weights = neighbours(sorted(counts))
        values = np.array([counts[cell] for cell in weights.id_order], float)
        theirs = esda.Moran_Local(values, weights, transformation="R", permutations=0)
        moran = dict(zip(weights.id_order, theirs.Is, strict=True))
        assert made.items
        for item in made.items:
            assert item["moran"] == pytest.approx(moran[item["cell"]], rel=1e-2)


def _province(database):
    from gis.placing.reference import stored_territory

    with database.reading() as connection:
        return [f"{cell:x}" for cell in stored_territory(connection).cells(8).tolist()]
