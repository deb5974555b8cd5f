"""Files of the duty roster: CSV or a workbook, a row a shift, with faults by line."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gis.errors import BadFile, BadInput
from gis.notify.roster.shifts import Shift, local_moment
from gis.text import search_key

# Names of columns as people write them.
_COLUMNS = {
    "who": ("who", "person", "name", "người trực", "họ tên", "họ và tên", "ai"),
    "communes": ("communes", "commune", "xã", "phường xã", "xã phường", "địa bàn", "đơn vị"),
    "layers": ("layers", "layer", "lớp", "lớp dữ liệu"),
    "categories": ("categories", "category", "fields", "field", "lĩnh vực", "loại"),
    "from": ("from", "since", "begin", "từ", "bắt đầu"),
    "to": ("to", "until", "end", "đến", "kết thúc"),
    "channel": ("channel", "kênh"),
}
_REQUIRED = ("who", "from", "to")
_KEYS = {search_key(word): name for name, words in _COLUMNS.items() for word in words}
_ALL = frozenset({"", "*", "all", "tất cả", "toàn tỉnh"})
_SHOWN_FAULTS = 20


@dataclass(frozen=True, slots=True)
class LayerWords:
    """A layer that raises alerts, as a roster may name it: by id or title, and its categories by
    code or label.
    """

    id: str
    titles: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # code: labels


@dataclass(frozen=True, slots=True)
class RosterWords:
    """What a file may name. `communes_of` gives the communes of today of a unit's name or code, or
    raises BadInput; `people` are those with a subscription on duty, with their channels.
    """

    layers: tuple[LayerWords, ...]
    communes_of: Callable[[str], Collection[str]]
    people: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A shift and the line of the file where it stands."""

    line: int
    shift: Shift


def read_roster(path: Path, words: RosterWords, encoding: str | None = None) -> list[RosterRow]:
    """The shifts of a file.

    Raises BadFile with all faults by line, and AmbiguousInput where its text has several readings.
    """
    from gis.intake.tables import read_table  # reads geometries too, for which it loads much

    table = read_table(path, encoding=encoding)
    columns = _columns(table.columns)
    rows, faults = [], []
    for number, (line, cells) in enumerate(zip(table.lines, table.rows(), strict=True)):
        try:
            if number in table.faults:
                raise BadInput(table.faults[number])
            values = {name: cells[column].strip() for name, column in columns.items()}
            rows.append(RosterRow(line, _shift(values, words)))
        except BadInput as error:
            faults.append(f"line {line}: {error}")
    faults += _doubled(rows)
    if faults:
        more = f"\n… and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise BadFile(f"{path.name}:\n" + "\n".join(faults[:_SHOWN_FAULTS]) + more)
    if not rows:
        raise BadFile(f"{path.name} holds no shift")
    return rows


def _columns(names: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in names:
        name = _KEYS.get(search_key(column))
        if name is None:
            known = ", ".join(f"{name} ({words[-1]})" for name, words in _COLUMNS.items())
            raise BadFile(f"the roster has a column {column}; its columns are {known}")
        if name in found:
            raise BadFile(f"the columns {found[name]} and {column} are both {name}: leave one")
        found[name] = column
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        raise BadFile(f"the roster has no column {', '.join(missing)}")
    return found


def _shift(values: Mapping[str, str], words: RosterWords) -> Shift:
    who = values["who"]
    if not who:
        raise BadInput("it names nobody in the column who")
    since, until = local_moment(values["from"]), local_moment(values["to"])
    if until <= since:
        raise BadInput(
            f"the shift ends ({values['to']}) before it begins ({values['from']}): a night shift "
            "ends on the next day"
        )
    channel = values.get("channel", "")
    _check_person(who, channel, words.people)
    layers = frozenset(_layer(text, words.layers).id for text in _listed(values.get("layers", "")))
    among = [each for each in words.layers if not layers or each.id in layers]
    categories = (_category(text, among) for text in _listed(values.get("categories", "")))
    communes = (words.communes_of(text) for text in _listed(values.get("communes", "")))
    return Shift(
        who=who,
        since=since,
        until=until,
        communes=frozenset(code for codes in communes for code in codes),
        layers=layers,
        categories=frozenset(categories),
        channel=channel,
    )


def _check_person(who: str, channel: str, people: Mapping[str, Collection[str]]) -> None:
    if who not in people:
        known = ", ".join(sorted(people)) or "nobody yet"
        raise BadInput(
            f"{who} has no subscription that follows the roster (there is: {known}): "
            "gis subscriptions add … --on-duty --person …"
        )
    if channel and channel not in people[who]:
        raise BadInput(f"{who} has no channel {channel}: {', '.join(sorted(people[who]))}")


def _listed(text: str) -> Iterator[str]:
    """The members of a cell, by semicolons or commas; none for `all` and an empty one."""
    if text.casefold() in _ALL:
        return
    for part in re.split(r"[;,\n]", text):
        if part.strip():
            yield part.strip()


def _layer(text: str, layers: Collection[LayerWords]) -> LayerWords:
    key = search_key(text)
    for layer in layers:
        if text == layer.id or key in map(search_key, layer.titles):
            return layer
    known = ", ".join(layer.id for layer in layers)
    raise BadInput(f"no layer with alerts is called {text}: there are {known}")


def _category(text: str, layers: Collection[LayerWords]) -> str:
    key = search_key(text)
    found = {
        code
        for layer in layers
        for code, labels in layer.categories.items()
        if text == code or key in map(search_key, labels)
    }
    if len(found) == 1:
        return found.pop()
    if found:
        raise BadInput(f"{text} may be {', '.join(sorted(found))}: give the code, or the layer")
    known = sorted({code for layer in layers for code in layer.categories})
    raise BadInput(f"there is no category {text}: there are {', '.join(known) or 'none'}")


def _doubled(rows: list[RosterRow]) -> Iterator[str]:
    seen: dict[Shift, int] = {}
    for row in rows:
        if row.shift in seen:
            yield f"line {row.line}: it is the same as line {seen[row.shift]}"
        seen.setdefault(row.shift, row.line)
