"""QGIS as a client: it opens the project, reads every layer, filters, and draws the legend."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text

from layers.definition.model import HexOptions, Style
from layers.style.classification import hex_classification
from tests.acceptance.qgis_program import has_qgis, run_in_qgis
from tests.integration.ogc_app import ogc_app, serving
from tests.integration.ogc_layers import INCIDENTS, add_five, make_layer

READER = Path(__file__).parent / "qgis_reader.py"
MANY = 2_500
STYLED = INCIDENTS.model_copy(
    update={
        "hexes": HexOptions(min_count=5),
        "style": Style.model_validate(
            {
                "field": "kind",
                "size_px": 8,
                "opacity": 1,
                "classes": [
                    {"value": "flood", "colour": "#0033cc", "label": {"vi": "Ngập", "en": "Flood"}},
                    {"value": "road", "colour": "#cc3300", "label": {"vi": "Đường", "en": "Road"}},
                ],
            }
        ),
    }
)


pytestmark = pytest.mark.skipif(
    not has_qgis(), reason="QGIS is missing: apt install qgis python3-qgis"
)


@dataclass
class Opened:
    """What QGIS told, and what it asked the server for."""

    told: dict[str, Any]
    asked: list[str]
    picture: Path


@pytest.fixture(scope="module")
def opened(postgres, migrated, tmp_path_factory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("qgis")
    with postgres.opened(migrated) as database:
        make_layer(database, STYLED)
        add_five(database)
        with database.writing() as connection:
            connection.execute(
                text(
                    "INSERT INTO layer.incidents (id, geom, kind) SELECT i, ST_SetSRID("
                    "ST_MakePoint(103.9 + i * 0.3 / :last, 22.25), 4326), 'road'"
                    " FROM generate_series(6, :last) i"
                ),
                {"last": MANY},
            )
        app, asked = ogc_app(database, [STYLED]), []

        async def noting(scope, receive, send):
            if scope["type"] == "http":
                asked.append(f"{scope['path']}?{scope['query_string'].decode()}")
            await app(scope, receive, send)

        with serving(noting) as base:
            project = httpx.get(f"{base}/qgis/project.qgz").raise_for_status()
            (folder / "project.qgz").write_bytes(project.content)
            asked.clear()
            picture = folder / "map.png"
            arguments = [str(folder / "project.qgz"), "incidents", "\"kind\" = 'flood'"]
            told = run_in_qgis(READER, folder, *arguments, str(picture))
            yield Opened(told, asked, picture)


def test_every_layer_of_the_project_is_valid(opened: Opened) -> None:
    assert opened.told["read"] and opened.told["crs"] == "EPSG:9208"
    layer = opened.told["layers"]["incidents"]
    assert layer["valid"] and layer["provider"] == "OAPIF"
    assert layer["name"] == "Sự cố" and opened.told["groups"] == ["Trung tâm điều hành"]
    assert layer["renderer"] == "categorizedSymbol"
    assert layer["aliases"]["depth_m"] == "Độ sâu (m)"
    assert layer["aliases"]["valid_at"] == "Thời điểm xảy ra"
    assert set(layer["aliases"].values()) & set(layer["aliases"]) == set(), "all are in Vietnamese"


def test_all_rows_are_counted_and_read_in_pages_of_a_thousand_or_more(opened: Opened) -> None:
    assert opened.told["layers"]["incidents"]["count"] == MANY
    assert opened.told["read_all"] == MANY
    limits = {parse_qs(urlsplit(url).query)["limit"][0] for url in opened.asked if "/items?" in url}
    # The first ten tell QGIS the kinds of the fields, one tells it the count.
    assert limits <= {"1", "10", "1000"} and "1000" in limits
    assert sum("cursor=" in url for url in opened.asked) >= 2


def test_a_filter_gives_the_same_rows_as_on_the_server(opened: Opened) -> None:
    assert opened.told["filtered"] == ['Nước & <b>"lũ"</b> \\ ở Bát Xát; Đồn', "sa pa"]
    assert opened.told["subset"] and opened.told["in_subset"] == 2


def test_times_are_filtered_by_the_server(opened: Opened) -> None:
    assert opened.told["since"] == ["Sa Pa", "sa pa"]
    assert opened.told["until"] == ["Sa Pả"], "what is not a time, QGIS 3.22 filters itself"
    assert opened.told["between"] == ["Sa Pả"], "a time without a zone is Vietnamese"
    spans = {
        parse_qs(urlsplit(url).query)["datetime"][0] for url in opened.asked if "datetime" in url
    }
    assert len(spans) == 3 and any(span.startswith("0000-01-01") for span in spans)


def test_what_lies_within_a_box_is_chosen_by_the_server(opened: Opened) -> None:
    assert opened.told["in_box"] == ["Sa Pa"]
    boxes = [parse_qs(urlsplit(url).query).get("bbox", ["0,0,9,9"])[0] for url in opened.asked]
    west, _, east, _ = min((list(map(float, box.split(","))) for box in boxes), key=_width)
    assert west <= 104.05 and 104.15 <= east < west + 0.3, "QGIS widens what it asks for"


def _width(box: list[float]) -> float:
    return box[2] - box[0]


def test_the_picture_has_the_colours_of_the_legend(opened: Opened) -> None:
    colours = opened.told["colours"]
    assert colours.get("#cc3300", 0) > 100 and colours.get("#0033cc", 0) > 20
    assert opened.picture.stat().st_size > 1000


def test_hexes_are_vector_tiles_in_the_classes_of_the_legend(opened: Opened) -> None:
    hexes = opened.told["hexes"]
    assert hexes["valid"] and "/hexes/incidents/%7Bz%7D/%7Bx%7D/%7By%7D.mvt" in hexes["source"]
    names, conditions, colours = zip(*hexes["styles"], strict=True)
    classes = hex_classification(STYLED).classes
    assert set(names) == {"incidents_hexes"}
    assert colours == tuple(one.colour for one in classes)
    assert conditions[0] == '"count" >= 5 AND "count" < 10' and conditions[-1] == '"count" >= 250'
