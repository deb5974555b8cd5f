"""Searching without case and accents: on an index, and with the same rows as without it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from gis.database.engine import Database
from layers.cql2 import condition, parse, properties_of
from layers.definition.catalogue import Catalogue
from layers.items import source_of
from layers.storage.sync import sync
from layers.storage.tables import table_of
from tests.databases import Server
from tests.integration.ogc_layers import INCIDENTS

SOURCE = source_of(INCIDENTS)
INDEXED = properties_of(SOURCE)
PLAIN = {name: replace(one, has_search_index=False) for name, one in INDEXED.items()}
# Letters that fold in odd ways: marks, đ, sharp s, ligature, Turkish and Kelvin letters, spaces.
LETTERS = "aAăÂấđĐsșßﬁİKkx  %_\\-'"
NOTES = ["Bát Xát", "BAT XAT", "bat  xat", "Bắt", "Đồn Đạc", "don dac", "straße", "STRASSE", "ﬁn",
         "Sa Pả", "50% ngập_lụt", "Chișinău", "x", "", None]  # fmt: skip


@pytest.fixture(scope="module")
def searched(postgres: Server, migrated: str) -> Iterator[Database]:
    with postgres.opened(migrated) as database:
        with database.writing() as connection:
            sync(connection, Catalogue((INCIDENTS,)))
            rows = [{"source": "t", "source_key": str(i), "note": n} for i, n in enumerate(NOTES)]
            connection.execute(insert(table_of(INCIDENTS)), rows)
        yield database


def found(database: Database, properties: dict, filter_: dict) -> list[int]:
    made = condition(filter_, properties)
    with database.reading() as connection:
        rows = select(SOURCE.id).select_from(SOURCE.table).where(made).order_by(SOURCE.id)
        return list(connection.scalars(rows))


def folded(name: str, inner: object) -> dict:
    return {"op": name, "args": [inner]}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    op=st.sampled_from(["=", "like"]),
    folds=st.lists(st.sampled_from(["casei", "accenti"]), max_size=2),
    other=st.lists(st.sampled_from(["casei", "accenti"]), max_size=2),
    literal=st.one_of(
        st.text(LETTERS, max_size=8),
        st.sampled_from([n for n in NOTES if n]).map(lambda n: f"%{n}%"),
        st.sampled_from([n for n in NOTES if n]).map(str.upper),
    ).filter(lambda value: not value.endswith("\\")),
)
def test_the_index_narrows_where_to_look_but_changes_no_answer(
    searched: Database, op: str, folds: list[str], other: list[str], literal: str
) -> None:
    left: object = {"property": "note"}
    right: object = literal
    for name in folds:
        left = folded(name, left)
    for name in other:
        right = folded(name, right)
    filter_ = {"op": op, "args": [left, right]}
    assert found(searched, INDEXED, filter_) == found(searched, PLAIN, filter_)


def test_a_search_without_accents_uses_the_index(searched: Database) -> None:
    wanted = parse("ACCENTI(CASEI(note)) LIKE ACCENTI(CASEI('%bat xat%'))")
    made = condition(wanted, INDEXED)
    rows = select(SOURCE.id).select_from(SOURCE.table).where(made)
    with searched.reading() as connection:
        compiled = rows.compile(connection, compile_kwargs={"literal_binds": True})
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.exec_driver_sql(f"EXPLAIN {compiled}".replace("%", "%%")).scalars()
        assert "incidents.note.search" in "\n".join(plan)
        assert len(list(connection.scalars(rows))) == 2
