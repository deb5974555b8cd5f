"""File of the records that failed in a load, to be corrected and loaded again."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gis.intake.tables import RawTable
from gis.text import HIDDEN
from layers.definition.model import FileSource, Layer
from layers.ingest.records import RecordBatch, RecordFault, public_columns

REASON, WHY = "#reason", "#why"


class FailureWriter:
    """Records that failed, as a CSV file with the columns of theirs, the reason and why.

    Values of columns that the layer file does not declare, or declares personal, are hidden.
    """

    def __init__(self, layer: Layer, writer: Any) -> None:
        self._writer = writer
        assert isinstance(layer.source, FileSource)
        self._shown = public_columns(layer.source, layer.fields)
        self._has_head = False

    def add(
        self,
        table: RawTable,
        records: RecordBatch,
        failed: Mapping[int, Sequence[RecordFault]],
    ) -> None:
        """Write the failed records of a table; `failed` are by row."""
        if self._writer is None:
            return
        if not self._has_head:
            self._writer.writerow([*table.columns, REASON, WHY])
            self._has_head = True
        for row, faults in sorted(failed.items()):
            raw = records.raw(row)
            values = [
                raw[column]
                if column in raw and column in self._shown
                else (HIDDEN if table[column][row] else "")
                for column in table.columns
            ]
            why = "; ".join(dict.fromkeys(fault.why for fault in faults))
            self._writer.writerow([*values, faults[0].reason, why])


@contextmanager
def failures_file(path: Path | None, layer: Layer) -> Iterator[FailureWriter]:
    """Failures as a file that is there only when all went well; None: they are not written."""
    if path is None:
        yield FailureWriter(layer, None)
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            yield FailureWriter(layer, csv.writer(file))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
