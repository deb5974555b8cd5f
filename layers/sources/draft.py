"""Draft of a layer file for another system: its first records are read, and say what they hold."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pydantic import ValidationError

from gis.connectors import CONNECTORS
from gis.connectors.connector import GEOMETRY, Batch, Surroundings
from gis.errors import BadFile, BadInput, SourceUnavailable
from gis.intake.chunks import TableChunks, part_of
from gis.intake.nested import nested_table
from gis.intake.tables import RawTable
from gis.intake.transforms import TRANSFORMS
from gis.text import fault_words
from layers.definition.drafts.layer_file import draft_layer, identifier

_ROWS = 2_000  # that are looked at
# Addresses that tell their protocol; the first that fits.
_ADDRESSES = (
    (re.compile(r"/(Feature|Map)Server(/\d+)?/?$", re.I), "arcgis"),
    (re.compile(r"/collections/[^/?]+(/items)?/?(\?|$)", re.I), "ogc_features"),
    (re.compile(r"[?&]service=wfs|/wfs/?(\?|$)", re.I), "wfs"),
    (re.compile(r"/v1\.[01]/(Things|Datastreams|Observations|Locations)?", re.I), "sensorthings"),
    (re.compile(r"^https?://", re.I), "http"),
)
_DEPTH = 4  # of members within which lists of records are looked for
_OUTER = ("data", "result", "d", "Data", "response")  # usual names of the one member of an answer
_DOTNET = re.compile(r"\\?/Date\(-?\d+([+-]\d{4})?\)\\?/")
_HTML = re.compile(r"<(br|p|div|b|span|table|td|a)\b[^>]*>", re.I)


@dataclass(frozen=True, slots=True)
class DraftedSource:
    """A draft: the id and the text of the layer file, and the records that it was made from."""

    layer_id: str
    text: str
    chunks: TableChunks


def draft_source(
    address: str,
    surroundings: Surroundings,
    *,
    connector: str | None = None,
    options: Mapping[str, Any] | None = None,
    layer_id: str | None = None,
) -> DraftedSource:
    """Read the first records at an address and draft a layer file for them.

    `connector` None: as the address seems; `options` are words of its section `read`. Raises
    BadInput, and the errors of the connector.
    """
    name = connector or _connector_of(address)
    if name not in CONNECTORS:
        raise BadInput(f"there is no connector {name}: it is one of {', '.join(CONNECTORS)}")
    words = {_address_word(name): address, **(options or {})}
    read: Mapping[str, Any] = words
    batch = _first_batch(name, read, surroundings)
    is_json = name == "http" and words.get("format", "json") == "json"
    if batch is not None and is_json and "records" not in words:
        # The whole answer was read as one record: what is asked for is within.
        number = max(_number_of_records(batch), 1)
        for path in _paths_of_records(batch):
            within = _first_batch(name, words | {"records": path}, surroundings)
            if within is not None and _number_of_records(within) >= number:
                read, batch = words | {"records": path}, within
                break
    if batch is None or not _number_of_records(batch):
        raise SourceUnavailable(
            f"no records were found at {address}: say where they stand, with --option records=PATH"
        )
    table = _table(address, batch)
    mapping, mapped = _mapped(table)
    chosen = layer_id or identifier(re.sub(r"^\w+://[^/]+", "", address) or name, set())
    source = {"connector": name, "read": read, **({"map": mapping} if mapping else {})}
    drafted_id, text = draft_layer(TableChunks(None, mapped), chosen, source=source)
    return DraftedSource(drafted_id, text, TableChunks(None, table))


def _connector_of(address: str) -> str:
    return next((name for form, name in _ADDRESSES if form.search(address)), "folder")


def _address_word(connector: str) -> str:
    fields = CONNECTORS[connector].Options.model_fields
    return next(word for word in ("url", "path", "host") if word in fields)


def _first_batch(name: str, read: Mapping[str, Any], surroundings: Surroundings) -> Batch | None:
    """The first batch; None where there are no records at this path.

    Raises BadInput for options that are wrong.
    """
    kind = CONNECTORS[name]
    try:
        options = kind.Options.model_validate(dict(read))
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, e['loc']))}: {fault_words(e['msg'])}" for e in error.errors()
        ]
        raise BadInput(f"read: {'; '.join(faults)}") from error
    source = kind(options, surroundings)
    try:
        return next(source.read({}), None)
    except BadFile:
        return None
    finally:
        source.close()


def _paths_of_records(batch: Batch) -> list[str]:
    """Paths where the longest list of records may stand within the one that a batch has.

    An answer with one member is read as the record that this one is, without its name.
    """
    whole = batch.records[0] if len(batch.records) == 1 else {}
    lists = dict(_lists_within(whole, "", _DEPTH))
    if not lists:
        return []
    path = max(lists, key=lambda path: (lists[path], -path.count(".")))
    # A record of a list has values of its own beside lists.
    is_plain = sum(not isinstance(each, Mapping | list) for each in whole.values()) > 1
    outer = _OUTER if is_plain else (*_OUTER, "*")
    return [path, *(f"{name}.{path}" for name in outer)]


def _lists_within(value: Mapping[str, Any], above: str, depth: int) -> Iterator[tuple[str, int]]:
    """Paths of members that hold records, as a list or by their keys, and how many they hold."""
    for name, member in value.items():
        records = list(member.values()) if isinstance(member, Mapping) else member
        if not isinstance(records, list) or "." in name:
            continue
        number = sum(isinstance(each, Mapping) and len(each) > 1 for each in records)
        if records and number == len(records) and (number > 1 or isinstance(member, list)):
            yield f"{above}{name}", number
        elif isinstance(member, Mapping) and depth > 1:
            yield from _lists_within(member, f"{above}{name}.", depth - 1)


def _number_of_records(batch: Batch) -> int:
    """Records with members of their own: the members of one object are no list of records."""
    if batch.file is not None:
        return 1
    return sum(len(record) > 1 for record in batch.records)


def _table(address: str, batch: Batch) -> RawTable:
    if batch.file is not None:
        return part_of(next(iter(batch.file)), slice(0, _ROWS))
    records = list(islice(batch.records, _ROWS))
    name = identifier(re.sub(r"^\w+://", "", address), set())
    return nested_table(name, records, _paths(records), geometry=GEOMETRY)


def _paths(records: list[Mapping[str, Any]]) -> list[str]:
    """Paths into short lists of plain values, such as those of coordinates."""
    paths = dict.fromkeys(path for record in records[:50] for path in _list_paths(record, ""))
    return list(paths)


def _list_paths(record: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, value in record.items():
        if name == GEOMETRY and not above:
            continue
        if isinstance(value, Mapping):
            yield from _list_paths(value, f"{above}{name}.")
        elif isinstance(value, list) and 0 < len(value) <= 3:
            plain = all(isinstance(each, str | int | float) for each in value)
            yield from (f"{above}{name}.{n}" for n in range(len(value)) if plain)


def _mapped(table: RawTable) -> tuple[dict[str, Any], RawTable]:
    """The section `map` of columns whose form is plain, and the table with those columns."""
    mapping: dict[str, Any] = {}
    cells = dict(table.cells)
    taken = {identifier(column, set()) for column in table.columns}
    for column in table.columns:
        values = [value for value in table[column] if value]
        for form, transform in ((_DOTNET, "dotnet_date"), (_HTML, "strip_html")):
            if values and all(form.search(value) for value in values):
                name = identifier(f"{column}_plain", taken)
                mapping[name] = {"from": column, "transform": [transform]}
                cells[name] = [TRANSFORMS[transform](value) for value in cells.pop(column)]
    return mapping, replace(table, columns=tuple(cells), cells=cells)
