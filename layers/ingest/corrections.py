"""Corrections of records in quarantine: of one, of a selection, or of all that share a value.

Each act is kept with what it changed, and can be undone. One of all that share a value is a mapping
rule of their source too: later loads of it change the records that have the value.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select, text

from gis.access import Principal
from gis.errors import BadInput, Conflict, NotFound
from gis.intake.tables import RawTable
from gis.text import nfc
from layers.definition.model import FileSource, Layer
from layers.ingest import edit
from layers.ingest.quarantine import (
    QuarantinedRecord,
    audit,
    get_waiting,
    list_waiting,
    require_waiting,
)
from layers.ingest.records import GEOMETRY, GEOMETRY_CRS, PLACE_BY, PlaceBy, known_columns
from layers.items import source_of
from layers.storage.tables import table_of

MOST_RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class AppliedCorrection:
    """One act of correction of so many `records`; `matched` is None where it is no rule."""

    id: int
    layer_id: str
    source: str
    matched: dict[str, str] | None
    changes: dict[str, str]
    at: datetime
    who: str
    undone_at: datetime | None
    undone_by: str | None
    records: int


@dataclass(frozen=True, slots=True)
class Undone:
    """An act that was undone: `waiting` records are as before; `changed` ones changed since, and
    stay as they are.
    """

    waiting: int
    changed: int


def check_columns(layer: Layer, columns: Iterable[str]) -> None:
    """Raises BadInput for columns that the layer does not read, and for personal ones.

    What is stored in quarantine is read by more people than what is personal.
    """
    assert isinstance(layer.source, FileSource)
    personal = {each.column or name for name, each in layer.fields.items() if each.personal}
    known = known_columns(layer.source, layer.fields) - personal
    for column in columns:
        if column in personal:
            raise BadInput(
                f"cột {column} là dữ liệu cá nhân: hãy sửa ở nguồn / the column {column} is "
                "personal: correct it at its source"
            )
        if column not in {*known, GEOMETRY, GEOMETRY_CRS, PLACE_BY}:
            raise BadInput(
                f"lớp {layer.id} không đọc cột {column} / the layer reads no column {column}: it "
                f"reads {', '.join(sorted(known))}"
            )


def decision(by: str) -> dict[str, str]:
    """The change that decides what contradicting records are placed by; raises BadInput."""
    if by not in set(PlaceBy):
        raise BadInput(f"{by!r} is neither of {', '.join(PlaceBy)}")
    return {PLACE_BY: by}


def fix(
    connection: Connection, record_id: int, changes: Mapping[str, str], actor: str
) -> QuarantinedRecord:
    """Correct values of one record.

    Raises NotFound, and Conflict for a record that does not wait.
    """
    record = get_waiting(connection, record_id)
    require_waiting(record)
    correct(connection, [record], changes, actor)
    return get_waiting(connection, record_id)


def fix_all(
    connection: Connection,
    layer: Layer,
    matched: Mapping[str, str],
    changes: Mapping[str, str],
    actor: str,
    *,
    source: str | None = None,
    once: bool = False,
) -> list[int]:
    """Correct all waiting records of a layer that have the values `matched`.

    Unless `once`, this is a rule for later loads of their sources too. Gives the ids of the
    corrections, one a source. Raises BadInput for a wrong column, and NotFound where no record has
    these values.
    """
    check_columns(layer, [*matched, *changes])
    if not matched or not changes:
        raise BadInput("name the value that the records share, and the value that is right")
    records = list_waiting(
        connection, layers=[layer.id], source=source, values=_in_nfc(matched), limit=MOST_RECORDS
    )
    if not records:
        raise NotFound(f"no record of {layer.id} waits with {_as_words(matched)}")
    return correct(connection, records, changes, actor, matched=None if once else matched)


def correct(
    connection: Connection,
    records: Sequence[QuarantinedRecord],
    changes: Mapping[str, str],
    actor: str,
    *,
    matched: Mapping[str, str] | None = None,
) -> list[int]:
    """Correct values of waiting records; with `matched`, as a rule of each of their sources.

    Gives the ids of the corrections, one a layer and source. An empty value takes a column away.
    """
    by_source: dict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records:
        by_source[record.layer_id, record.source].append(record.id)
    corrections = []
    for (layer_id, source), ids in by_source.items():
        values = {
            "layer": layer_id,
            "source": source,
            "matched": None if matched is None else _json(_in_nfc(matched)),
            "changes": _json(_in_nfc(changes)),
            "who": actor,
            "ids": ids,
        }
        correction = connection.execute(_CORRECT, values).scalar_one()
        connection.execute(_NOTE_BEFORE, values | {"correction": correction})
        connection.execute(_CHANGE, values)
        audit(connection, actor, "quarantine.fix", {"correction": correction, "records": len(ids)})
        corrections.append(int(correction))
    return corrections


def list_corrections(
    connection: Connection, layers: Sequence[str], *, rules_only: bool = False, limit: int = 100
) -> list[AppliedCorrection]:
    """Acts of correction in these layers, newest first; `rules_only`: rules in force."""
    values = {"layers": list(layers), "rules": rules_only, "limit": limit, "id": None}
    return [AppliedCorrection(**row._mapping) for row in connection.execute(_LIST, values)]


def no_correction(correction_id: int) -> str:
    return f"there is no correction {correction_id}: see `gis records corrections`"


def get_correction(connection: Connection, correction_id: int) -> AppliedCorrection:
    """One act of correction; raises NotFound."""
    values = {"layers": None, "rules": False, "limit": 1, "id": correction_id}
    row = connection.execute(_LIST, values).one_or_none()
    if row is None:
        raise NotFound(no_correction(correction_id))
    return AppliedCorrection(**row._mapping)


def records_of(connection: Connection, correction_id: int) -> list[int]:
    """Numbers of the records that a correction changed."""
    rows = connection.execute(_CHANGED, {"correction": correction_id})
    return [row.id for row in rows]


def undo(connection: Connection, layer: Layer, correction_id: int, principal: Principal) -> Undone:
    """Undo a correction: its records wait as before, and a rule of it ends.

    A row that a replay added is deleted, one that it updated is as it was before; both are in the
    history. Raises NotFound, and Conflict for one that is undone or whose rows were edited since.
    """
    correction = get_correction(connection, correction_id)
    if correction.undone_at is not None:
        raise Conflict(f"correction {correction_id} is undone already")
    rows = connection.execute(_CHANGED, {"correction": correction_id}).all()
    same = [row for row in rows if row.unchanged and row.status in ("waiting", "replayed")]
    replayed = [row.source_key for row in same if row.status == "replayed"]
    _take_back_rows(connection, layer, correction, replayed, principal)
    connection.execute(_RESTORE, {"correction": correction_id, "ids": [row.id for row in same]})
    connection.execute(_MARK_UNDONE, {"correction": correction_id, "who": principal.name})
    audit(connection, principal.name, "quarantine.undo", {"correction": correction_id})
    return Undone(len(same), len(rows) - len(same))


def _take_back_rows(
    connection: Connection,
    layer: Layer,
    correction: AppliedCorrection,
    keys: Sequence[str],
    principal: Principal,
) -> None:
    table = table_of(layer)
    rows = connection.execute(
        select(table.c.id, table.c.source_key).where(
            table.c.source == correction.source, table.c.source_key.in_(keys)
        )
    )
    for row in rows.all():
        changes = [
            change
            for change in edit.history(connection, layer.id, row.id)
            if change.at > correction.at
        ]
        if any(change.act != edit.REPLAYED for change in changes):
            raise Conflict(
                f"item {row.id} of {layer.id} was edited since: correct it there, or revert "
                f"`gis layers history {layer.id} {row.id}` first"
            )
        if changes:
            edit.revert(connection, layer, changes[-1].id, principal)
        else:
            edit.delete(connection, source_of(layer), row.id, principal)


class MappingRules:
    """The rules of a source, as they change the tables of one file, and how many records each did.

    The columns that a rule gives are there from the first table on in which it changed a record.
    """

    def __init__(self, connection: Connection, layer: Layer, source: str) -> None:
        values = {"layer": layer.id, "source": source}
        self._rules = connection.execute(_RULES, values).all()
        self._used: set[int] = set()
        self.records: Counter[int] = Counter()

    def apply(self, table: RawTable) -> RawTable:
        """The table, or the next part of one, as the rules change it."""
        for rule in self._rules:
            rows = _matching_rows(table, rule.matched)
            if rows:
                self._used.add(rule.id)
                self.records[rule.id] += len(rows)
            if rule.id not in self._used:
                continue
            cells = dict(table.cells)
            for column, value in rule.changes.items():
                cells[column] = list(cells.get(column, [""] * len(table)))
                for row in rows:
                    cells[column][row] = value
            columns = tuple(dict.fromkeys([*table.columns, *rule.changes]))
            table = replace(table, columns=columns, cells=cells)
        return table

    def notes(self) -> Iterator[str]:
        """A note on each rule that changed records."""
        for rule in self._rules:
            if self.records[rule.id]:
                words = f"{_as_words(rule.matched)} → {_as_words(rule.changes)}"
                yield (
                    f"quy tắc {rule.id} ({words}) đã sửa {self.records[rule.id]} bản ghi / rule "
                    f"{rule.id} changed {self.records[rule.id]} records "
                    f"(`gis records undo {rule.id}` ends it)"
                )


def _matching_rows(table: RawTable, matched: Mapping[str, str]) -> list[int]:
    if not set(matched) <= set(table.cells):
        return []
    columns = [table.cells[column] for column in matched]
    values = tuple(matched.values())
    return [row for row, cells in enumerate(zip(*columns, strict=True)) if cells == values]


def _in_nfc(values: Mapping[str, str]) -> dict[str, str]:
    return {nfc(column): nfc(value) for column, value in values.items()}


def _as_words(values: Mapping[str, str]) -> str:
    return ", ".join(f"{column}={value}" for column, value in values.items())


def _json(values: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(values)).decode()


_CORRECT = text("""
INSERT INTO gis.correction (layer_id, source, matched, changes, who)
VALUES (:layer, :source, CAST(:matched AS jsonb), CAST(:changes AS jsonb), :who) RETURNING id
""")
_NOTE_BEFORE = text("""
INSERT INTO gis.corrected_record (correction_id, record_id, before)
SELECT :correction, q.id,
       (SELECT jsonb_object_agg(c.name, q.raw ->> c.name)
        FROM jsonb_object_keys(CAST(:changes AS jsonb)) AS c (name))
FROM gis.quarantine q WHERE q.id = ANY(:ids)
""")
# Quarantine stores no empty values.
_CHANGE = text("""
UPDATE gis.quarantine q SET changed_at = now(), changed_by = :who,
  raw = coalesce((SELECT jsonb_object_agg(e.key, e.value)
                  FROM jsonb_each(q.raw || CAST(:changes AS jsonb)) AS e
                  WHERE e.value <> '""'), '{}')
WHERE q.id = ANY(:ids)
""")
_LIST = text("""
SELECT c.id, c.layer_id, c.source, c.matched, c.changes, c.at, c.who, c.undone_at, c.undone_by,
       (SELECT count(*) FROM gis.corrected_record r WHERE r.correction_id = c.id) AS records
FROM gis.correction c
WHERE (CAST(:layers AS text[]) IS NULL OR c.layer_id = ANY(CAST(:layers AS text[])))
  AND (CAST(:id AS bigint) IS NULL OR c.id = :id)
  AND (NOT :rules OR c.matched IS NOT NULL AND c.undone_at IS NULL)
ORDER BY c.id DESC LIMIT :limit
""")
_CHANGED = text("""
SELECT q.id, q.source_key, q.status,
       NOT EXISTS (SELECT FROM jsonb_each_text(c.changes) AS e
                   WHERE coalesce(q.raw ->> e.key, '') <> e.value) AS unchanged
FROM gis.corrected_record r
JOIN gis.correction c ON c.id = r.correction_id
JOIN gis.quarantine q ON q.id = r.record_id
WHERE r.correction_id = :correction ORDER BY q.id FOR UPDATE OF q
""")
_RESTORE = text("""
UPDATE gis.quarantine q SET status = 'waiting', changed_at = now(),
  raw = coalesce((SELECT jsonb_object_agg(e.key, e.value)
                  FROM jsonb_each(q.raw || r.before) AS e WHERE e.value <> 'null'), '{}')
FROM gis.corrected_record r
WHERE r.correction_id = :correction AND r.record_id = q.id AND q.id = ANY(:ids)
""")
_MARK_UNDONE = text("""
UPDATE gis.correction SET undone_at = clock_timestamp(), undone_by = :who WHERE id = :correction
""")
_RULES = text("""
SELECT id, matched, changes FROM gis.correction
WHERE layer_id = :layer AND source = :source AND matched IS NOT NULL AND undone_at IS NULL
ORDER BY id
""")
