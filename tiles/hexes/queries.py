"""Queries of hexes: by category, by days, or of all records."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gis.clock import HERE
from gis.errors import BadInput
from layers.definition.model import FileSource, HexOptions, Layer
from layers.items.literals import span_of
from tiles.hexes.rights import hex_options

_A_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DaySpan:
    """Whole days of Vietnam, both ends included; None is an open end."""

    first: date | None
    last: date | None

    def holds(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    @property
    def are_months(self) -> bool:
        starts = self.first is None or self.first.day == 1
        return starts and (self.last is None or (self.last + timedelta(days=1)).day == 1)


@dataclass(frozen=True, slots=True)
class HexQuery:
    """Records of a category and of days; None: of all."""

    category: str | None = None
    days: DaySpan | None = None

    @property
    def is_everything(self) -> bool:
        return self.category is None and self.days is None


def hex_query(
    layer: Layer, category: str | None, datetime_text: str | None, *, widened: bool = False
) -> HexQuery:
    """Raises BadInput for a category or a time that the layer does not have.

    `widened`: instants stand for the days that hold them, in Vietnam; else they are refused.
    """
    return HexQuery(
        None if category is None else _category(layer, category),
        None if datetime_text is None else _days(layer, datetime_text, widened=widened),
    )


def require_answerable(layer: Layer, question: HexQuery, k: int) -> None:
    """Raises BadInput for what the public may not ask: its answers could be subtracted."""
    if k == 1:
        return
    if question.category is not None and question.days is not None:
        raise BadInput(
            "hexes of fewer than "
            f"{k} records are hidden here: ask for a category or for months, not for both, or send "
            f"a key that works with {layer.id}"
        )
    if question.days is not None and not question.days.are_months:
        raise BadInput(
            f"hexes of fewer than {k} records are hidden here: ask for whole months, such as "
            f"2026-03-01/2026-04-30, or send a key that works with {layer.id}"
        )


def filter_resolution(options: HexOptions) -> int:
    """The finest resolution at which the public may ask for a category or for months."""
    return options.filter_resolution or min(options.resolutions)


def _category(layer: Layer, value: str) -> str:
    name = hex_options(layer).category
    if name is None:
        raise BadInput(f"the records of {layer.id} are not counted by category")
    known = layer.fields[name].values
    if known is not None and value not in known:
        raise BadInput(f"category={value!r} is wrong: {name} is one of {', '.join(known)}")
    return value


def _days(layer: Layer, text: str, *, widened: bool) -> DaySpan:
    if isinstance(layer.source, FileSource) and layer.source.time is None:
        raise BadInput(f"the records of {layer.id} have no time: leave out datetime")
    span = span_of(text)
    first, last = _here(span.start), _here(span.end)
    ends = None if last is None else last + _A_MICROSECOND
    if not widened and any(
        at is not None and at.time() != datetime.min.time() for at in (first, ends)
    ):
        raise BadInput(
            f"datetime={text!r} is wrong: records are counted by day in Vietnam; give a day "
            "such as 2026-03-01, or days such as 2026-03-01/2026-03-31, where .. is an open end"
        )
    return DaySpan(first and first.date(), last and last.date())


def _here(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(HERE)
