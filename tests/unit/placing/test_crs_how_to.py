"""docs/how-to/wrong-crs.md shows the messages that an officer really sees."""

from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from gis.errors import BadInput
from gis.placing.crs import LOCAL, check_crs
from gis.values import BBox

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "wrong-crs.md"
PROVINCE = BBox(103.5, 21.3, 105.1, 22.9)
SCHOOLS_PRJ = (
    'PROJCS["VN2000_LaoCai",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",'
    '6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",104.75],'
    'PARAMETER["Scale_Factor",0.9999],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


@pytest.fixture(scope="module")
def metres() -> tuple[np.ndarray, np.ndarray]:
    """318 places in the province, easting and northing in its own system."""
    random = np.random.default_rng(1)
    lon, lat = random.uniform(103.6, 105.0, 318), random.uniform(21.4, 22.8, 318)
    east, north = Transformer.from_crs("EPSG:4326", LOCAL, always_xy=True).transform(lon, lat)
    return east, north


def message(x: np.ndarray, y: np.ndarray, crs: str) -> str:
    with pytest.raises(BadInput) as caught:
        check_crs(x, y, crs, PROVINCE)
    return str(caught.value)


def test_the_question_about_the_datum_is_as_documented(
    metres: tuple[np.ndarray, np.ndarray],
) -> None:
    assert message(*metres, SCHOOLS_PRJ) in DOCUMENT.read_text(encoding="utf-8")


def test_the_question_about_exchanged_axes_is_as_documented(
    metres: tuple[np.ndarray, np.ndarray],
) -> None:
    east, north = metres
    assert message(north, east, LOCAL) in DOCUMENT.read_text(encoding="utf-8")


def test_the_refusal_of_hanoi_72_is_as_documented(
    metres: tuple[np.ndarray, np.ndarray],
) -> None:
    assert message(*metres, "EPSG:2044") in DOCUMENT.read_text(encoding="utf-8")


def test_every_answer_in_the_document_is_one_that_a_question_names() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    for answer in ("EPSG:9208", "EPSG:9208:yx", "declared"):
        assert f"--assume-crs {answer}" in document
