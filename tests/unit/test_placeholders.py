"""Numbered placeholders: a name has one number, and a doubled percent sign is one."""

import pytest

from gis.database.placeholders import numbered


@pytest.mark.parametrize(
    ("statement", "sql", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("SELECT %(a)s::int, %(b)s", "SELECT $1::int, $2", ("a", "b")),
        ("SELECT %(b)s + %(a)s + %(b)s", "SELECT $1 + $2 + $1", ("b", "a")),
        ("SELECT 7 %% %(a)s, 'like %%(a)s'", "SELECT 7 % $1, 'like %(a)s'", ("a",)),
        ("SELECT %%%(a)s%%", "SELECT %$1%", ("a",)),
    ],
)
def test_a_name_has_one_number(statement, sql, names):
    assert numbered(statement) == (sql, names)
