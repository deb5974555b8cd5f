"""A law of paging: whoever walks all pages sees each untouched row once, whatever happens."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gis.access import ANONYMOUS
from gis.database.engine import Database
from gis.database.roles import as_owner
from layers.items import (
    Count,
    CountKind,
    PageRequest,
    Query,
    SortKey,
    read_page,
    source_of,
)
from tests.databases import Server
from tests.integration.ogc_layers import INCIDENTS, make_layer

SOURCE = source_of(INCIDENTS)
# Few values, so that many rows share a key; None, so that nulls stand at page borders.
SEVERITIES = st.sampled_from([None, 1, 2])
NOTES = st.sampled_from([None, "Sa Pa", "Sa Pả", "sa pa", ""])


@dataclass(frozen=True)
class Write:
    """What somebody else does between two pages; `row` counts from 1."""

    act: str
    row: int
    severity: int | None


WRITES = st.builds(
    Write, st.sampled_from(["insert", "delete", "update"]), st.integers(1, 12), SEVERITIES
)
SORTS = st.lists(
    st.builds(SortKey, st.sampled_from(["severity", "note"]), st.booleans()),
    max_size=2,
    unique_by=lambda key: key.name,
)


@pytest.fixture(scope="module")
def walked(postgres: Server, migrated: str) -> Iterator[Database]:
    with postgres.opened(migrated) as database:
        make_layer(database)
        yield database


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(SEVERITIES, NOTES), min_size=1, max_size=12),
    writes=st.lists(WRITES, max_size=8),
    sort=SORTS,
    limit=st.integers(1, 4),
    asked=st.sampled_from([None, "Sa Pa"]),
)
def test_walking_all_pages_shows_each_untouched_row_exactly_once(
    walked: Database,
    rows: list[tuple[int | None, str | None]],
    writes: list[Write],
    sort: list[SortKey],
    limit: int,
    asked: str | None,
) -> None:
    fill(walked, rows)
    query = Query() if asked is None else Query(equal={"note": asked})
    matching = {row for row, (_, note) in enumerate(rows, 1) if asked in (None, note)}
    pending = list(writes)
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(200):
        with walked.reading() as connection:
            request = PageRequest(query, limit=limit, sort=tuple(sort), cursor=cursor)
            page = read_page(connection, SOURCE, request, ANONYMOUS)
        assert page.count == Count(len(matching), CountKind.EXACT), "as the first page found"
        seen += [json.loads(feature)["id"] for feature in page.features]
        if page.next is None:
            break
        cursor = page.next
        if pending:
            write(walked, pending.pop())
    touched = {each.row for each in writes if each.act != "insert"}
    untouched = matching - touched
    assert page.next is None
    assert {row: seen.count(row) for row in untouched} == dict.fromkeys(untouched, 1)
    assert asked is None or set(seen) <= matching


def fill(database: Database, rows: list[tuple[int | None, str | None]]) -> None:
    with database.writing() as connection, as_owner(connection):
        connection.execute(text("TRUNCATE layer.incidents RESTART IDENTITY"))
        for severity, note in rows:
            connection.execute(
                text("INSERT INTO layer.incidents (severity, note) VALUES (:severity, :note)"),
                {"severity": severity, "note": note},
            )


def write(database: Database, change: Write) -> None:
    statements = {
        "insert": "INSERT INTO layer.incidents (severity) VALUES (:severity)",
        "delete": "DELETE FROM layer.incidents WHERE id = :row",
        "update": "UPDATE layer.incidents SET severity = :severity WHERE id = :row",
    }
    values = {"row": change.row, "severity": change.severity}
    with database.writing() as connection:
        connection.execute(text(statements[change.act]), values)
