"""Days that the dates of a layer may hold, by its file."""

from datetime import date, timedelta

from gis.intake.plausible_days import USUAL_FIRST, DayBounds
from layers.definition.model import FileSource, LayerField, Occurrence

# The longest term of a lease of land is 50 years (Land Law 2024, article 172).
_AHEAD_OF_A_FIELD = 18_263


def bounds_of_time(time: Occurrence, today: date) -> DayBounds:
    """The days on which what the layer holds can have happened."""
    return _bounds(time.earliest, time.ahead_days, today)


def bounds_of_field(name: str, field: LayerField, source: FileSource, today: date) -> DayBounds:
    """The days that a field may hold; of one that is the time of the record, those of the time."""
    is_unsaid = field.earliest is None and field.ahead_days is None
    if source.time and is_unsaid and (field.column or name) == source.time.column:
        return bounds_of_time(source.time, today)
    ahead = _AHEAD_OF_A_FIELD if field.ahead_days is None else field.ahead_days
    return _bounds(field.earliest, ahead, today)


def _bounds(earliest: date | None, ahead_days: int, today: date) -> DayBounds:
    last = today + timedelta(days=ahead_days)
    return DayBounds(earliest or USUAL_FIRST, last, declared=earliest is not None)
