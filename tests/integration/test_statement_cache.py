"""Cached statements: bounded, and never with what a client wrote."""

from sqlalchemy import Integer, bindparam, literal, select

from gis.database.engine import Database
from layers.items import statements
from layers.items.statements import StatementCache


def test_a_statement_is_made_once_for_each_shape(database: Database, monkeypatch) -> None:
    monkeypatch.setattr(statements, "_MOST", 3)
    kept, made = StatementCache(), []

    def ask(shape: object, value: int) -> int:
        def make():
            made.append(shape)
            return select(bindparam("told", value, Integer()) + literal(1))

        with database.reading_singly() as connection:
            return kept.run(connection, shape, make, {"told": value})[0][0]

    assert [ask("a", 1), ask("a", 2), ask("b", 3)] == [2, 3, 4]
    assert made == ["a", "b"]
    assert [ask(None, 1), ask(None, 1)] == [2, 2] and made.count(None) == 2
    for shape in range(10):
        ask(shape, 0)
    assert len(kept) <= 3
