"""docs/how-to/planners.md: its requests run as they stand, on records counted by hand."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from sqlalchemy import text

from api.app import create_app
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.storage.sync import sync
from tests.databases import Server
from tests.integration.ogc_app import app_client
from tests.planners import LAYERS, RECORDS, plant, plant_province, plant_reports

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGE = (HOW_TO / "planners.md").read_text(encoding="utf-8")
QUESTION = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |^## )", re.MULTILINE | re.DOTALL)
REQUEST = re.compile(r"^curl ['\"]http://localhost:8000([^'\"].*)['\"]$", re.MULTILINE)
REQUESTS = {int(number): REQUEST.findall(body) for number, body in QUESTION.findall(PAGE)}
# Those of rasters and of processes are answered elsewhere.
ELSEWHERE = {10, 11, 12, 13}

PLANTED = """
INSERT INTO layer.landslides (source, source_key, geom) VALUES
  ('tests', '1', ST_Point(104.10, 22.05, 4326)), ('tests', '2', ST_Point(104.25, 22.02, 4326));
INSERT INTO layer.places (source, source_key, geom, name, kind) VALUES
  ('tests', '1', ST_Point(104.12, 22.05, 4326), 'Trường 1', 'school'),
  ('tests', '2', ST_Point(104.29, 22.09, 4326), 'Trường 2', 'school'),
  ('tests', '3', ST_Point(104.11, 22.05, 4326), 'Chợ', 'market');
INSERT INTO layer.roads (source, source_key, geom, name, start_km) VALUES ('tests', '1',
  ST_GeomFromText('MULTILINESTRING((104.0 22.0505, 104.03 22.0505))', 4326), 'QL4D', 10.5)
"""


@pytest.fixture(scope="module")
def province(
    postgres: Server,
    migrated: str,
    catalogue: Catalogue,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Database]:
    with postgres.opened(migrated) as database:
        plant_province(database, tmp_path_factory.mktemp("questions"))
        with database.writing() as connection:
            sync(connection, _all(catalogue))
        plant(database)
        plant_reports(database, RECORDS)
        with database.writing() as connection:
            for statement in PLANTED.split(";"):
                connection.execute(text(statement))
        yield database


def _all(catalogue: Catalogue) -> Catalogue:
    return Catalogue((*catalogue.layers, LAYERS.get("requests")))


@pytest.fixture(scope="module")
def http(province: Database, catalogue: Catalogue) -> Iterator[httpx.Client]:
    app = create_app(Settings(_env_file=None), province, _all(catalogue))
    with app_client(app) as client:
        yield client


def groups(answer: dict[str, Any], *names: str) -> dict[Any, Any]:
    """The last of the columns, by the others."""
    *keys, value = names
    return {
        tuple(each[key] for key in keys) if len(keys) > 1 else each[keys[0]]: each[value]
        for each in answer["groups"]
    }


def happened(answer: dict[str, Any]) -> set[str]:
    """The hours at which records of a page happened, by which they are told apart."""
    return {feature["properties"]["valid_at"][:13] for feature in answer["features"]}


AT = {"a": "2026-03-02T01", "b": "2026-03-02T16", "c": "2026-03-02T17", "d": "2026-02-10T03"}


def hours(*keys: str) -> set[str]:
    return {AT[key] for key in keys}


Check = Callable[[dict[str, Any]], Any]
EXPECTED: dict[int, list[tuple[Check, Any]]] = {
    1: [(lambda a: groups(a, "commune", "count"), {"00001": 2, "00004": 2})],
    2: [(lambda a: groups(a, "old_district", "count"), {"080": 1, "082": 3})],
    3: [(lambda a: groups(a, "commune", "per_1000"), {"00001": 1.5, "00004": 3, "00007": None})],
    4: [
        (
            lambda a: groups(a, "old_district", "commune", "per_1000"),
            {("080", "00001"): 1, ("080", "00007"): None, ("082", "00001"): 2, ("082", "00004"): 3},
        )
    ],
    5: [(lambda a: list(groups(a, "commune", "count").items()), [("00001", 2), ("00004", 1)])],
    6: [
        (
            lambda a: [(g["agency"], g["values"], g["mean"], g["median"]) for g in a["groups"]],
            [("A", 3, 5, 4), ("B", 2, 15, 15), (None, 0, None, None)],
        )
    ],
    7: [(happened, hours("b", "c", "d"))],
    8: [(happened, hours("b"))],
    9: [(lambda a: [f["properties"]["name"] for f in a["features"]], ["Trường 1"])],
    14: [
        (
            lambda a: groups(a, "commune", "year", "count"),
            {("00001", "2025"): 1, ("00001", "2026"): 2, ("00004", "2025"): 0,
             ("00004", "2026"): 3, ("00007", "2025"): 0, ("00007", "2026"): 0},
        )
    ],
    15: [
        (
            lambda a: groups(a, "month", "commune", "category", "count"),
            {("2025-03", "00001", "traffic"): 1, ("2026-02", "00004", "security"): 1,
             ("2026-03", "00001", "traffic"): 2, ("2026-03", "00004", "security"): 1,
             ("2026-03", "00004", "traffic"): 1, (None, "00007", "disaster"): 1},
        )
    ],
    16: [(lambda a: a["features"], []), (lambda a: a["features"], [])],
    17: [(lambda a: list(groups(a, "hex", "count").values()), [51])],
    18: [(happened, hours("a", "c"))],
    19: [
        (
            lambda a: groups(a, "weekday", "hour", "count"),
            {(1, 8): 1, (1, 10): 1, (1, 23): 1, (2, 0): 1, (2, 10): 1, (2, 23): 1,
             (None, None): 1},
        )
    ],
    20: [(happened, hours("a")), (lambda a: groups(a, "road_km", "count"), {12: 1, None: 6})],
    21: [(lambda a: groups(a, "commune", "count"), {"00007": 0})],
    22: [
        (
            lambda a: (a["commune"]["code"], [
                (u["code"], u["name"], u["district"]["name"]) for u in a["unit_then"]["units"]
            ]),
            ("00004", [("00004", "Xã Bốn", "Huyện Xưa"), ("00005", "Xã Năm", "Huyện Xưa")]),
        ),
        (
            lambda a: (a["commune"]["code"], a["unit_then"]),
            ("00001", {"code": "00002", "name": "Xã Hai"}),
        ),
    ],
    23: [
        (
            lambda a: [
                (f["properties"]["new_code"], f["properties"]["share_area"]) for f in a["features"]
            ],
            [("00001", 1.0)],
        )
    ],
    24: [
        (
            lambda a: [round(g["count"] / g["area_km2"], 6) == round(g["per_km2"], 6)
                       for g in a["groups"]],
            [True, True, True],
        )
    ],
    25: [(lambda a: {"places", "landslides"} <= {c["id"] for c in a["collections"]}, True)],
}  # fmt: skip


def test_every_question_stands_on_the_page_or_is_answered_elsewhere() -> None:
    assert REQUESTS.keys() | ELSEWHERE == set(range(1, 26))
    assert {n: len(asked) for n, asked in REQUESTS.items()} == {
        n: len(answers) for n, answers in EXPECTED.items()
    }


@pytest.mark.parametrize("number", sorted(EXPECTED))
def test_a_question_has_the_answer_counted_by_hand(
    http: httpx.Client, province: Database, number: int
) -> None:
    if number == 17:
        many = [
            (f"m{n}", 104.27, 22.07, "00007", None, None, "disaster", *[None] * 4)
            for n in range(51)
        ]
        plant_reports(province, many)
    try:
        for request, (check, expected) in zip(REQUESTS[number], EXPECTED[number], strict=True):
            answer = http.get(request)
            assert answer.status_code == 200, answer.text
            assert check(answer.json()) == expected
    finally:
        if number == 17:
            with province.writing() as connection:
                connection.execute(
                    text("DELETE FROM layer.citizen_reports WHERE source_key ~ '^m'")
                )


def test_the_statements_of_the_page_run_with_the_role_that_reads(province: Database) -> None:
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    statements = [part.strip() for part in re.sub(r"--.*", "", block).split(";") if part.strip()]
    answers = []
    with province.reading() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            answers.append(result.all() if result.returns_rows else None)
    _, comments, by_commune, by_month, near, became = answers
    assert all(words for _, words in comments)
    assert dict(by_commune) == {"Phường Sao Mai": 3, "Xã Bãi Cát": 3, "Xã Đồi Thông": 1}
    assert dict(by_month) == {"2025-03": 1, "2026-02": 1, "2026-03": 4, None: 1}
    assert len(near) == 1
    assert became == [("Phường Sao Mai", 1.0)]


def test_each_table_view_and_column_has_words_in_two_languages(province: Database) -> None:
    with province.reading() as connection:
        rows = connection.execute(
            text("""
            SELECT c.relname, NULL AS attname, obj_description(c.oid, 'pg_class') FROM pg_class c
            WHERE relnamespace = 'layer'::regnamespace AND relkind IN ('r', 'v')
            UNION ALL
            SELECT c.relname, a.attname, col_description(c.oid, a.attnum)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE relnamespace = 'layer'::regnamespace AND relkind IN ('r', 'v')
              AND NOT attisdropped
            """)
        ).all()
    assert len(rows) > 200
    assert [row[:2] for row in rows if " / " not in (row[2] or "")] == []


QUERIES = (HOW_TO / "query.md").read_text(encoding="utf-8")
BLOCKS = [
    body
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", QUERIES, re.MULTILINE | re.DOTALL)
    if not language
]
FILTERS = [
    re.split(r"\s{2,}", line)[0]
    for block in BLOCKS
    if not block.startswith("$")
    for line in block.splitlines()
]
SHOWN = [block.splitlines() for block in BLOCKS if block.startswith("$")]


@pytest.mark.parametrize("words", FILTERS)
def test_a_filter_of_the_page_on_queries_has_an_answer(http: httpx.Client, words: str) -> None:
    given = {"filter": words.replace("note", "description")}
    answer = http.get("/ogc/collections/citizen_reports/items", params=given)
    assert answer.status_code == 200, answer.text


def test_the_answers_that_the_page_on_queries_shows_are_those_that_come(http: httpx.Client) -> None:
    for command, shown in SHOWN:
        (request,) = REQUEST.findall(command.removeprefix("$ "))
        words = shown.strip("… ").removesuffix('"').removesuffix(" …")
        assert words in http.get(request).text.replace('":"', '": "'), command
    assert len(FILTERS) >= 9


def test_the_requests_are_written_so_that_a_shell_sends_them(http: httpx.Client) -> None:
    for request in (each for asked in REQUESTS.values() for each in asked):
        assert " " not in urlsplit(request).query, request
        assert unquote(request)
