"""docs/how-to/rasters.md and its English twin: the commands run as they stand, in their order."""

import re
import shlex
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import command_line
from gis.rasters import loader
from gis.rasters.demo import demo_rasters, height_m, rain_mm, write_demo
from gis.rasters.store import stored_stack
from gis.values import BBox
from tests.conftest import LAYERS
from tests.raster_files import write_raster

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = {name: (HOW_TO / name).read_text("utf-8") for name in ("rasters.md", "rasters.en.md")}
AREA = BBox(104.0, 22.0, 104.3, 22.1)


def commands_of(page):
    return re.findall(r"^gis .*$", page, re.MULTILINE)


def test_both_languages_have_the_same_commands():
    vietnamese, english = map(commands_of, PAGES.values())
    assert vietnamese == english and len(english) == 18


def real_files(folder):
    """What the page adds: heights of another file, a folder of days, a day, VN-2000."""
    write_raster(folder / "glo30_lao_cai.tif", np.full((10, 30), 800, np.float32))
    (folder / "days").mkdir()
    grid = {"transform": from_origin(104.0, 22.1, 0.3 / 320, 0.1 / 320)}
    for day in (8, 9):
        write_raster(
            folder / "days" / f"2024090{day}.tif", np.full((320, 320), 30, np.float32), **grid
        )
    write_raster(folder / "rain.tif", np.full((320, 320), 150, np.float32), **grid)
    corner = from_origin(422_500, 2_446_000, 100, 100)  # within the communes, EPSG:9208
    heights = np.full((80, 200), 700, np.float32)
    heights[0, 0] = -9999
    write_raster(folder / "dem_vn2000.tif", heights, transform=corner, crs=None)


def test_the_commands_run_from_the_first_to_the_last(toy_province, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(LAYERS, "layers", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    real_files(tmp_path)
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.url)
    monkeypatch.setenv("GIS_LAYERS", "layers")
    monkeypatch.setenv("GIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(loader, "run_confined", loader.run_here)  # spares two Pythons a file
    with toy_province.writing() as connection:
        connection.execute(EVENT)
    output = {}
    for command in commands_of(PAGES["rasters.en.md"]):
        _, *words = shlex.split(command)
        done = CliRunner().invoke(command_line(), words, catch_exceptions=False)
        assert done.exit_code == 0, (command, done.output)
        output[command] = done.output
    assert "15 simulated rasters added" in output["gis rasters demo --until 2024-09-12"]
    assert re.search(r"replaced +2", output["gis rasters add days/ rain_daily"])
    show = output["gis risk show --day 2024-09-10"]
    assert "simulated: nothing of this happened" in show and "Hà Giang" in show
    verified = output["gis risk verify --since 2024-09-08 --until 2024-09-12"]
    assert "none: the rain is simulated" in verified and "hit rate" not in verified
    hits, misses = (int(re.search(rf"{word} +(\d+)", verified)[1]) for word in ("hits", "misses"))
    unknown = int(re.search(r"events unknown +(\d+)", verified)[1])
    assert hits + misses + unknown == 1  # the event that was planted
    with toy_province.reading() as connection:
        heights = stored_stack(connection, "elevation")
        rain = stored_stack(connection, "rain_daily")
    assert heights.grid.crs == "EPSG:9208" and not heights.is_simulated
    assert len(rain.rasters) == 11
    zones = output[
        "gis rasters zones rain_daily --statistic mean --statistic max --time 2024-09-10"
    ]
    assert zones.count("150") == 6  # three communes, mean and greatest


EVENT = text("""
INSERT INTO layer.landslides (geom, h3, commune, place_method, valid_at, source, source_key)
SELECT ST_SetSRID(ST_MakePoint(104.15, 22.05), 4326), 627149957091078143, '00004', 'coordinates',
       '2024-09-10T03:00:00Z', 'tests', '1'
""")


@pytest.mark.parametrize(("column", "row"), [(0, 0), (17, 250), (319, 319), (160, 160)])
def test_the_demo_is_its_closed_form_and_the_same_each_time(tmp_path, column, row):
    u, v = (column + 0.5) / 320, 1 - (row + 0.5) / 320
    made = list(demo_rasters(date(2024, 9, 12)))
    again = list(demo_rasters(date(2024, 9, 12)))
    assert all((one.values == other.values).all() for one, other in zip(made, again, strict=True))
    heights = next(one for one in made if one.layer_id == "elevation")
    write_demo(heights, AREA, tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        value = next(file.sample([file.xy(row, column)]))[0]
    assert value == pytest.approx(float(height_m(np.array(u), np.array(v))), rel=1e-5)
    days = [one for one in made if one.layer_id == "rain_daily"]
    assert days[-1].day == date(2024, 9, 12) and len(days) == 12
    assert days[9].values[row, column] == pytest.approx(
        float(rain_mm(np.array(u), np.array(v), 9)), abs=0.06
    )
    assert set(np.unique(next(one.values for one in made if one.values.dtype == np.uint8))) == {
        1, 2, 3, 4,
    }  # fmt: skip
