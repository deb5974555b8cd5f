"""Preview of a load: what each column of a file is read as, with the value that proves it."""

from collections.abc import Iterator
from dataclasses import dataclass

from gis.intake.coordinates import parse_degrees
from gis.intake.dates import parse_dates
from gis.intake.numbers import parse_integers, parse_numbers
from gis.intake.tables import RawTable
from gis.text import HIDDEN
from layers.definition.model import FileSource, Layer
from layers.ingest.records import RecordReader, key_columns
from layers.ingest.survey import ColumnReading, ColumnType


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column of a file: what it is for, how it is read, and of a sample what is in it.

    `use` is `key`, `x`, `y`, `time`, `address`, `commune`, `district`, `precision`, the names of
    fields, or empty for a column that the layer file does not declare. `example` hides personal
    values.
    """

    column: str
    use: str
    read_as: str
    empty: int
    example: str


def column_uses(layer: Layer, reader: RecordReader, sample: RawTable) -> list[ColumnUse]:
    """The columns of a file, in its order; `sample` are some of its records."""
    uses = _uses(layer)
    readings = {reading.column: reading for reading in reader.readings()}
    hidden = {
        column
        for column in sample.columns
        if column not in uses or any(use.startswith("personal") for use in uses[column])
    }
    return [
        ColumnUse(
            column=column,
            use=", ".join(uses.get(column, ())),
            read_as=_read_as(reader, readings.get(column), sample),
            empty=sample[column].count(""),
            example=HIDDEN if column in hidden else next(filter(None, sample[column]), ""),
        )
        for column in sample.columns
    ]


def _uses(layer: Layer) -> dict[str, list[str]]:
    source = layer.source
    assert isinstance(source, FileSource)
    uses: dict[str, list[str]] = {}
    for column, use in _source_columns(source):
        uses.setdefault(column, []).append(use)
    for name, definition in layer.fields.items():
        use = f"personal: {name}" if definition.personal else name
        uses.setdefault(definition.column or name, []).append(use)
    return uses


def _source_columns(source: FileSource) -> Iterator[tuple[str, str]]:
    for column in key_columns(source):
        yield column, "key"
    if source.coordinates is not None:
        yield source.coordinates.x, "x"
        yield source.coordinates.y, "y"
    if source.time is not None:
        yield source.time.column, "time"
    for use in ("address", "commune", "district"):
        if (column := getattr(source, use)) is not None:
            yield column, use
    if source.precision is not None:
        yield source.precision.column, "precision"


def _read_as(reader: RecordReader, reading: ColumnReading | None, sample: RawTable) -> str:
    """The type with notation or format, and the value that proved it."""
    if reading is None or reading.column not in sample.cells:
        return "text"
    values, column, format = sample[reading.column], reading.column, reading.format
    deciding = None if reader.survey is None else reader.survey.deciding.get(reading)
    match reading.type:
        case ColumnType.DATE:
            dates = parse_dates(values, format, column=column, deciding=deciding)
            return _proven("date", dates.format, dates.proof)
        case ColumnType.INTEGER:
            integers = parse_integers(values, format, column=column, deciding=deciding)
            return _proven("integer", integers.notation, integers.proof)
        case _:
            parse = parse_degrees if reading.type is ColumnType.ANGLE else parse_numbers
            numbers = parse(values, format, column=column, deciding=deciding)
            return _proven(str(reading.type), numbers.notation, numbers.proof)


def _proven(kind: str, format: str | None, proof: str | None) -> str:
    told = kind if format is None else f"{kind} {format}"
    return told if proof is None else f"{told} (“{proof}”)"
