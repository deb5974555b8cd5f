"""Drift of a source: columns that came, went or hold something else, by the contract of each.

What each column held so far is kept with the source; a batch is held against it before it is
stored.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gis.intake.tables import RawTable
from layers.definition.model import FeedSource, FieldType, Layer
from layers.ingest.records import known_columns

_KINDS = {
    "number": re.compile(r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?"),
    "date": re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ].*)?|\d\d?[/.-]\d\d?[/.-]\d{4}(?: .*)?"),
}
_TEXT = "text"
_SAMPLE = 2_000  # values of a column and batch that are looked at
_KEPT = 100_000  # values that are remembered; half of them count once there are more
_SURE = 1e-6  # a column is lost where chance would leave it empty more rarely than this
_LEAST_VALUES = 5  # of a batch from which a column is retyped
_SETTLED = 20  # values from which the kind of a column is known
_LARGELY = 0.99
_FAILED = "#failed"  # counts of records that failed, beside those of the columns


@dataclass(frozen=True, slots=True)
class ColumnNews:
    """What is new about a column: `new`, `lost` or `retyped`, and in words."""

    column: str
    what: str
    vi: str
    en: str


def observed_columns(
    known: Mapping[str, Any],
    table: RawTable,
    news: Iterable[ColumnNews],
    failed: int,
    *,
    accepted: bool,
) -> dict[str, Any]:
    """What is known of the columns, with the values of a table, of which so many records failed.

    What is new counts from here on as it is now; `accepted`: so do the failures.
    """
    begun_anew = {each.column for each in news} | ({_FAILED} if accepted else set())
    seen = {name: dict(each) for name, each in known.items() if name not in begun_anew}
    for column in table.columns:
        values = table[column]
        _add(seen, column, len(values), sum(map(bool, values)), _kinds(values))
    _add(seen, _FAILED, len(table), failed, Counter())
    return seen


def bearable_failures(known: Mapping[str, Any]) -> float | None:
    """The share of failing records that is no news; None where nothing is known yet.

    It is twice the usual one, or what so few records may hide (rule of three).
    """
    counts = known.get(_FAILED)
    if not counts or not counts["of"]:
        return None
    return float(max(2 * counts["filled"], counts["filled"] + 3) / counts["of"])


def _add(seen: dict[str, Any], name: str, of: int, filled: int, kinds: Counter[str]) -> None:
    counts = seen.setdefault(name, {"of": 0, "filled": 0, "kinds": {}})
    counts["of"] += of
    counts["filled"] += filled
    counts["kinds"] = dict(Counter(counts["kinds"]) + kinds)
    if counts["of"] > _KEPT:
        counts["of"] //= 2
        counts["filled"] //= 2
        counts["kinds"] = {kind: -(-count // 2) for kind, count in counts["kinds"].items()}


def news_of(
    layer: Layer, feed: FeedSource, known: Mapping[str, Any], table: RawTable, *, is_file: bool
) -> list[ColumnNews]:
    """What is new in a table, held against what is known; nothing where nothing is known yet.

    `is_file`: the table names its columns, so that one without a name in it is gone.
    """
    if not known or not len(table):
        return []
    declared = known_columns(feed, layer.fields)
    if table.geometry is not None and feed.coordinates is not None:
        declared -= {feed.coordinates.x, feed.coordinates.y}
    news = [
        ColumnNews(column, "new", f"có cột mới “{column}”", f"there is a new column “{column}”")
        for column in table.columns
        if column not in known and column not in declared
    ]
    typed = _typed_columns(layer, feed)
    personal = {each.column or name for name, each in layer.fields.items() if each.personal}
    for column in sorted(declared & known.keys()):
        news += _lost(column, known[column], table, is_file=is_file)
        if column in typed or column in feed.contract.keys() - personal:
            news += _retyped(column, known[column], table)
    return news


def stops(feed: FeedSource, news: ColumnNews) -> bool:
    """True where the contract asks a person before anything is stored."""
    default = "evolve" if news.what == "new" else "freeze"
    return feed.contract.get(news.column, feed.contract.get("*", default)) == "freeze"


def _lost(
    column: str, before: Mapping[str, Any], table: RawTable, *, is_file: bool
) -> Iterator[ColumnNews]:
    if any(table.cells.get(column, ())):
        return
    share = before["filled"] / before["of"] if before["of"] else 0.0
    unlikely = share == 1 or len(table) * math.log1p(-share) < math.log(_SURE)
    is_gone = is_file and column not in table.cells
    if before["filled"] and (is_gone or (unlikely and len(table) * share >= 1)):
        yield ColumnNews(
            column,
            "lost",
            f"cột “{column}” không còn giá trị",
            f"the column “{column}” has no values any more",
        )


def _retyped(column: str, before: Mapping[str, Any], table: RawTable) -> Iterator[ColumnNews]:
    kinds = Counter(before["kinds"])
    if kinds.total() < _SETTLED:
        return
    kind, count = kinds.most_common(1)[0]
    now = _kinds(table.cells.get(column, []))
    if count < _LARGELY * kinds.total() or now.total() < _LEAST_VALUES:
        return
    other, number = next(((k, n) for k, n in now.most_common() if k != kind), (kind, 0))
    if number > now.total() / 2:
        example = next(value for value in table[column] if value and _kind(value) == other)
        shown = example if len(example) <= 40 else f"{example[:40]}…"
        yield ColumnNews(
            column,
            "retyped",
            f"cột “{column}” trước là {kind}, nay là {other} (“{shown}”)",
            f"the column “{column}” held {kind}s and now holds {other}s (“{shown}”)",
        )


def _typed_columns(layer: Layer, feed: FeedSource) -> set[str]:
    """Columns that are read as something else than text."""
    columns = {
        field.column or name
        for name, field in layer.fields.items()
        if field.type is not FieldType.TEXT and not field.personal
    }
    if feed.coordinates is not None:
        columns |= {feed.coordinates.x, feed.coordinates.y}
    return columns | ({feed.time.column} if feed.time else set())


def _kinds(values: list[str]) -> Counter[str]:
    sample = values[:: len(values) // _SAMPLE + 1]
    return Counter(_kind(value) for value in sample if value)


def _kind(value: str) -> str:
    text = value.strip()
    return next((kind for kind, form in _KINDS.items() if form.fullmatch(text)), _TEXT)
