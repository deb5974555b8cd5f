"""A serving process holds what answers need: detection and its libraries are loaded elsewhere."""

import json
import os
import subprocess
import sys

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
