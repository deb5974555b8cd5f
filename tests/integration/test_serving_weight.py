"""Serving processes and workers are light: statistics are loaded by the processes of jobs."""

import json
import os
import subprocess
import sys

from tests.conftest import LAYERS

ANALYSIS = {"esda", "geopandas", "libpysal", "numba", "pandas", "rasterio", "scipy", "sklearn"}
PAGES = (
    "/",
    "/ogc/?f=json",
    "/ogc/collections?f=json",
    "/ogc/collections/communes/items?f=json&limit=1",
    "/tiles/communes/6/50/28.mvt",
    "/alerts",
)

# Serves as each process of `gis up` does, and tells what it answered and what it has loaded.
SERVING = """
import json, sys
from starlette.testclient import TestClient
from api.worker import create

with TestClient(create(), base_url="http://localhost") as client:
    answers = {page: client.get(page).status_code for page in json.loads(sys.argv[1])}
print(json.dumps([answers, sorted(name for name in sys.modules if "." not in name)]))
"""


def test_a_serving_process_loads_no_library_of_the_analysis(toy_province, tmp_path):
    settings = {"GIS_DATABASE_URL": toy_province.url, "GIS_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SERVING, json.dumps(PAGES)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, loaded = json.loads(done.stdout.splitlines()[-1])
    assert {page: status for page, status in answers.items() if status not in (200, 204)} == {}
    assert ANALYSIS & set(loaded) == set()


# Looks at everything as the leader does, without a lane in which jobs would run.
WORKING = """
import json, sys, time
from pathlib import Path
from gis.database.engine import Database
from layers.definition.catalogue import read_catalogue
from layers.jobs.service import watching

layers = Path(sys.argv[2])
database = Database(sys.argv[1])
with watching(database, layers, read_catalogue(layers), 400, lambda stopped: {}):
    for _ in range(600):
        with database.reading() as connection:
            queued = connection.exec_driver_sql("SELECT DISTINCT kind FROM gis.job").scalars().all()
        if {"alarm", "places"} <= set(queued):
            break
        time.sleep(0.1)
database.close()
print(json.dumps([queued, sorted(name for name in sys.modules if "." not in name)]))
"""


def test_a_worker_that_leads_loads_no_library_of_the_statistics(toy_province):
    done = subprocess.run(
        [sys.executable, "-c", WORKING, toy_province.url, str(LAYERS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    queued, loaded = json.loads(done.stdout.splitlines()[-1])
    assert {"alarm", "places"} <= set(queued)
    assert (ANALYSIS - {"pandas"}) & set(loaded) == set()
