"""Key of a draft: the columns whose values tell the records of a file apart."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from gis.intake.chunks import TableChunks
from gis.intake.tables import RawTable, column_key
from layers.definition.drafts.columns import DraftedColumn
from layers.definition.model import FieldType

# Words of names of columns, without diacritics.
_KEY = re.compile(r"\b(id|ma|code|key|so (dang ky|ho so|hieu|phieu))\b")
_ORDINAL = re.compile(r"(s ?t ?t|tt|so thu tu|no|row|fid|ogc fid)")
_MOST_KEYS = 4  # that are held against all records of a large file


def draft_key(chunks: TableChunks, columns: Mapping[str, DraftedColumn]) -> str | list[str]:
    """The column, else two or all columns, whose values tell the records apart."""
    head = chunks.whole if chunks.whole is not None else next(iter(chunks))
    distinct = (key for key in _keys(columns) if _is_distinct(_values(head, key)))
    if chunks.whole is not None:
        key = next(distinct, None)
    else:
        key = next(_distinct_in_all(chunks, list(islice(distinct, _MOST_KEYS))), None)
    if key is None:
        return [name for name, column in columns.items() if not column.personal]
    return key[0] if len(key) == 1 else list(key)


def _keys(columns: Mapping[str, DraftedColumn]) -> Iterator[tuple[str, ...]]:
    """What may be the key, the likeliest first: numbers of rows, last, change from file to file."""
    usable = [
        name
        for name, column in columns.items()
        if column.type in (FieldType.TEXT, FieldType.INTEGER)
        and not column.personal
        # What is nearly a measure is no key, unless it is named so.
        and (not column.doubt or _KEY.search(column_key(name)))
    ]
    ordinal = [name for name in usable if _ORDINAL.fullmatch(column_key(name))]
    usable = [name for name in usable if name not in ordinal]
    usable.sort(key=lambda name: _KEY.search(column_key(name)) is None)
    usable.sort(key=lambda name: _KEY.fullmatch(column_key(name)) is None)
    yield from ((name,) for name in usable)
    yield from combinations(usable[:8], 2)
    yield from ((name,) for name in ordinal)


def _values(table: RawTable, key: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(zip(*(table[column] for column in key), strict=True))


def _is_distinct(records: Sequence[tuple[str, ...]]) -> bool:
    """True where no two records are equal, and none has an empty part."""
    return all(map(all, records)) and len(set(records)) == len(records)


def _distinct_in_all(
    chunks: TableChunks, keys: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Those of the keys that tell all records of a large file apart."""
    hashes: dict[tuple[str, ...], list[NDArray[np.int64]]] = {key: [] for key in keys}
    for part in chunks:
        for key in list(hashes):
            records = _values(part, key)
            if not all(map(all, records)):
                del hashes[key]
                continue
            hashes[key].append(np.fromiter(map(hash, records), np.int64, len(records)))
    for key, parts in hashes.items():
        together = np.concatenate(parts)
        if len(np.unique(together)) == len(together):
            yield key
