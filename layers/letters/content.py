"""Content of a letter: what became of a department's data in a week, and what is to be corrected.

In the words of ISO 19157 and those of the ministry: đúng (validity), đủ (completeness), sạch
(duplicates), sống (timeliness).
"""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from sqlalchemy import Connection, text

from gis.clock import HERE
from gis.notify.notification import Language
from layers.definition.model import FeedSource, Layer
from layers.ingest.quarantine import list_waiting
from layers.ingest.record_files import write_records

MOST_RECORDS = 1_000  # of a layer in the file that comes with the letter
_TROUBLED = ("late", "failing", "asking", "paused")


@dataclass(frozen=True, slots=True)
class SourceWeek:
    """The loads of one source of a layer in the week: counts of records, and shares from 0 to 1.

    `failed` were not stored; shares are means over the records that came, None where nothing was
    measured; `age_s` is the mean of the loads' median ages, in seconds.
    """

    source: str
    loads: int
    read: int
    added: int
    updated: int
    removed: int
    failed: int
    simulated: bool
    validity: float | None
    completeness: float | None
    duplicates: float | None
    in_hex: float | None
    in_commune: float | None
    age_s: float | None
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LayerWeek:
    """A layer in the week, its source as it is now, and how many of its records wait."""

    layer: Layer
    sources: Sequence[SourceWeek]
    state: str | None  # of the source that the service reads; None: it reads none
    why: str
    waiting: int
    file: bytes | None  # CSV of those that wait, the first ones; None: none does

    @property
    def simulated(self) -> bool:
        """True where some of what is said of it is: what came in the week, or its source."""
        feed = self.layer.source
        return any(each.simulated for each in self.sources) or (
            isinstance(feed, FeedSource) and feed.simulated
        )

    @property
    def needs_work(self) -> bool:
        failed = sum(each.failed for each in self.sources)
        return bool(failed or self.waiting) or self.state in _TROUBLED


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter: its subject, its text, and files to correct by their names."""

    subject: str
    text: str
    files: Mapping[str, bytes]
    needs_work: bool


def layer_weeks(connection: Connection, layers: Sequence[Layer], week: date) -> list[LayerWeek]:
    """What became of the layers in the week that begins with a Monday, in Vietnam."""
    since = datetime.combine(week, time(), HERE)
    values = {
        "layers": [each.id for each in layers],
        "since": since,
        "until": since + timedelta(days=7),
    }
    loads: dict[str, list[SourceWeek]] = {each.id: [] for each in layers}
    reasons: dict[tuple[str, str], Counter[str]] = {}
    for row in connection.execute(_REASONS, values):
        reasons.setdefault((row.layer_id, row.source), Counter())[row.reason] = row.number
    for row in connection.execute(_LOADS, values):
        measured = {name: value for name, value in row._mapping.items() if name != "layer_id"}
        why = reasons.get((row.layer_id, row.source), Counter())
        loads[row.layer_id].append(SourceWeek(**measured, reasons=why))
    states = {row.layer_id: row for row in connection.execute(_STATES, values)}
    waiting = {row.layer_id: row.number for row in connection.execute(_WAITING, values)}
    return [
        LayerWeek(
            layer,
            loads[layer.id],
            states[layer.id].state if layer.id in states else None,
            states[layer.id].why if layer.id in states else "",
            waiting.get(layer.id, 0),
            _file(connection, layer) if layer.id in waiting else None,
        )
        for layer in layers
    ]


def letter_of(
    department: str, weeks: Sequence[LayerWeek], week: date, language: Language
) -> Letter:
    """The letter about the layers of a department, which is named in Vietnamese."""
    needy = [each for each in weeks if each.needs_work]
    last = week + timedelta(days=6)
    if language is Language.EN and weeks:
        department = weeks[0].layer.department.en
    values: dict[str, Any] = {
        "department": department,
        "weeks": [each for each in weeks if each.sources or each.needs_work],
        "needy": needy,
        "begin": week.strftime("%d/%m"),
        "end": last.strftime("%d/%m/%Y"),
        "read": sum(source.read for each in weeks for source in each.sources),
        "most": MOST_RECORDS,
        "simulated": any(each.simulated for each in weeks),
    }
    subject, _, words = _template(language).render(values).partition("\n")
    files = {f"{each.layer.id}.csv": each.file for each in weeks if each.file is not None}
    return Letter(subject.strip(), words.lstrip("\n"), files, bool(needy))


def _file(connection: Connection, layer: Layer) -> bytes:
    """The records that wait, as `gis records export` writes them: undeclared cells are masked."""
    records = list_waiting(connection, layers=[layer.id], limit=MOST_RECORDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{layer.id}.csv"
        write_records(layer, records, path)
        return path.read_bytes()


def _percent(share: float | None, language: str) -> str:
    if share is None:
        return "–"
    words = f"{share * 100:.1f}"
    return f"{words.replace('.', ',') if language == Language.VI else words} %"


def _age(seconds: float | None, language: str) -> str:
    """A median age in the largest unit that fits."""
    if seconds is None:
        return "–"
    units = {
        Language.VI: ("phút", "giờ", "ngày"),
        Language.EN: ("minutes", "hours", "days"),
    }[Language(language)]
    sizes = (60, 3_600, 86_400)
    number = max(index for index, size in enumerate(sizes) if index == 0 or seconds >= 2 * size)
    return f"{seconds / sizes[number]:.0f} {units[number]}"


@cache
def _template(language: Language) -> Template:
    # Plain text: nothing is escaped, and no text of a source is ever a template.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "age": _age}
    return environment.get_template(f"letter.{language}.txt")


_LOADS = text("""
SELECT l.layer_id, l.source, count(*) AS loads, sum(l.read) AS read, sum(l.added) AS added,
       sum(l.updated) AS updated, sum(l.removed) AS removed,
       sum(l.quarantined + l.outside) AS failed, bool_or(l.simulated) AS simulated,
       sum(q.validity * q.records)
         / nullif(sum(q.records) FILTER (WHERE q.validity IS NOT NULL), 0) AS validity,
       sum(q.completeness * q.records)
         / nullif(sum(q.records) FILTER (WHERE q.completeness IS NOT NULL), 0) AS completeness,
       sum(q.duplicates * q.records)
         / nullif(sum(q.records) FILTER (WHERE q.duplicates IS NOT NULL), 0) AS duplicates,
       sum(q.in_hex * q.records)
         / nullif(sum(q.records) FILTER (WHERE q.in_hex IS NOT NULL), 0) AS in_hex,
       sum(q.in_commune * q.records)
         / nullif(sum(q.records) FILTER (WHERE q.in_commune IS NOT NULL), 0) AS in_commune,
       avg(q.age_s) AS age_s
FROM gis.load l LEFT JOIN gis.load_quality q ON q.load_id = l.id
WHERE l.layer_id = ANY(:layers) AND l.loaded_at >= :since AND l.loaded_at < :until
  AND l.reverted_at IS NULL
GROUP BY l.layer_id, l.source ORDER BY l.layer_id, l.source
""")
_REASONS = text("""
SELECT l.layer_id, l.source, r.key AS reason, sum(r.value::int) AS number
FROM gis.load l, jsonb_each_text(l.reasons) r
WHERE l.layer_id = ANY(:layers) AND l.loaded_at >= :since AND l.loaded_at < :until
  AND l.reverted_at IS NULL
GROUP BY 1, 2, 3 ORDER BY number DESC, reason
""")
_STATES = text("""
SELECT s.layer_id, gis.source_state(s) AS state, coalesce(s.question ->> 'why', s.error) AS why
FROM gis.source s WHERE s.active AND s.layer_id = ANY(:layers)
""")
_WAITING = text("""
SELECT layer_id, count(*) AS number FROM gis.quarantine
WHERE layer_id = ANY(:layers) AND status = 'waiting' GROUP BY layer_id
""")
