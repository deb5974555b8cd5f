"""Inspection of layer tables: their structure in the database and that of their layer files."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

# Tables and views of schema layer, with the columns that were not dropped.
_COLUMNS = text("""
SELECT c.relname, c.relkind IN ('v', 'm') AS is_view, a.attname,
       lower(format_type(a.atttypid, a.atttypmod)) AS type
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = 'layer' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum
""")
_INDEXES = text("SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'layer'")
_CHECKS = text("""
SELECT c.relname, k.conname
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'layer' AND k.contype = 'c'
""")
_TRIGGERS = text("""
SELECT c.relname, t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'layer' AND NOT t.tgisinternal
""")


@dataclass
class TableStructure:
    """A table or view: the type of each column, names of indexes, triggers, check constraints."""

    is_view: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    indexes: set[str] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)


def read_structures(connection: Connection) -> Mapping[str, TableStructure]:
    """All tables and views of schema `layer`, by name."""
    shapes: dict[str, TableStructure] = defaultdict(TableStructure)
    for name, is_view, column, kind in connection.execute(_COLUMNS):
        shapes[name].is_view = is_view
        shapes[name].columns[column] = kind
    for name, index in connection.execute(_INDEXES):
        shapes[name].indexes.add(index)
    for name, check in connection.execute(_CHECKS):
        shapes[name].checks.add(check)
    for name, trigger in connection.execute(_TRIGGERS):
        shapes[name].triggers.add(trigger)
    return dict(shapes)


def types_of(table: Table) -> dict[str, str]:
    """The type of each column of a declared table, as PostgreSQL writes it."""
    return {column.name: column.type.compile(_DIALECT).lower() for column in table.columns}
