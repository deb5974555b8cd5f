"""Columns that a layer file makes of those of its source: paths, transformations, other words."""

from dataclasses import replace

from gis.intake.chunks import chosen_rows
from gis.intake.tables import RawTable
from gis.intake.transforms import TRANSFORMS, item_of
from gis.intake.units import converted, scaled
from layers.definition.model import FeedSource, FileSource, ItemOf, Layer, MappedColumn


def with_mapped_columns(source: FileSource, table: RawTable, *, replayed: bool = False) -> RawTable:
    """The table with the columns of `map`, and without those that the contract discards.

    `replayed`: the records come from quarantine, where they were stored with these columns: a value
    that is there stays, since a person may have corrected it.
    """
    if not isinstance(source, FeedSource):
        return table
    cells = dict(table.cells)
    for name, mapped in source.map.items():
        if mapped.of not in table.cells:
            continue
        made = [mapped_value(mapped, value) for value in table[mapped.of]]
        if replayed and name in table.cells:
            made = [now or value for now, value in zip(table[name], made, strict=True)]
        cells[name] = made
    for column, word in source.contract.items():
        if word == "discard":
            cells.pop(column, None)
    return replace(table, columns=tuple(cells), cells=cells)


def with_single_measurements(layer: Layer, table: RawTable) -> RawTable:
    """The table with a record for each of the measurements that one record of the source joins.

    One whose lists differ in length stays as it is: its time is then a fault.
    """
    source = layer.source
    if layer.series is None or not isinstance(source, FileSource):
        return table
    if source.time is None or source.measured is None or source.measured.joined_by is None:
        return table
    fields = layer.fields
    joined = {source.time.column, *(fields[n].column or n for n in layer.series.quantities)}
    joined |= {source.measured.value} if source.measured.value else set()
    columns = sorted(joined & table.cells.keys())
    rows: list[int] = []
    cells: dict[str, list[str]] = {column: [] for column in columns}
    for row in range(len(table)):
        lists = {name: table[name][row].split(source.measured.joined_by) for name in columns}
        lengths = {len(values) for name, values in lists.items() if table[name][row]}
        number = lengths.pop() if len(lengths) == 1 and row not in table.faults else 1
        rows += [row] * number
        for name, values in lists.items():
            whole = number == 1 or not table[name][row]
            cells[name] += [table[name][row]] * number if whole else map(str.strip, values)
    single = chosen_rows(table, rows)
    return replace(single, cells={**single.cells, **cells})


def mapped_value(mapped: MappedColumn, text: str) -> str:
    """The value of a column for one of its source."""
    if not text:
        return text
    for step in mapped.transform:
        if isinstance(step, ItemOf):
            text = item_of(text, step.item, step.separator)
        else:
            text = TRANSFORMS[step](text)
    if mapped.factor is not None:
        text = scaled(text, mapped.factor)
    if mapped.unit is not None:
        text = converted(text, mapped.unit.source, mapped.unit.layer)
    return (mapped.values or {}).get(text, text)
