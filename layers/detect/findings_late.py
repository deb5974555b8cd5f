"""Findings of records that no alarm judges for the sake of their time, for the officer on duty:
those that came long after their event, and those that say nothing of when it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pandas as pd

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Tier
from gis.text import number_en, number_vi
from layers.definition.model import AlertOptions, HotspotOptions
from layers.detect.findings_scan import ScanFindings
from layers.detect.observations import (
    Observations,
    day_number,
    day_numbers,
    midnight,
    parents_of,
)

LATE = "held_back"  # the rules under which they raise alerts
UNDATED = "undated"
LEAST = 3  # records that are worth more than a watch; a cluster needs as many
_DAYS = 2  # the day under way, and the one before
_RESOLUTION = 8  # of the hexes that are shown

type Words = tuple[str, str]  # in Vietnamese and English


@dataclass(frozen=True, slots=True)
class _Kind:
    """One reason of time for which records are in no alarm."""

    rule: str
    least: int  # records from which there is a finding
    tier: Callable[[AlertOptions], Tier]
    chosen: Callable[[pd.DataFrame], pd.Series]
    headline: Words  # with `title` and `count`
    detail: Words  # with `hours`


_KINDS = (
    _Kind(
        rule=LATE,
        least=LEAST,
        tier=lambda alerts: alerts.held_back,
        chosen=lambda rows: rows["held_back"].astype(bool),
        headline=(
            "{title}: {count} bản ghi đến muộn, không được xét báo động",
            "{title}: {count} late records, which no alarm judges",
        ),
        detail=(
            "Sự việc xảy ra hơn {hours} giờ trước khi được tiếp nhận. Nếu đang diễn ra, hãy xem "
            "các bản ghi.",
            "They happened more than {hours} hours before they were received. If they go on, look "
            "at the records.",
        ),
    ),
    _Kind(
        rule=UNDATED,
        least=1,
        tier=lambda alerts: alerts.undated,
        chosen=lambda rows: rows["reason"] == "undated",
        headline=(
            "{title}: {count} bản ghi không có thời điểm xảy ra, chưa được xét báo động",
            "{title}: {count} of unknown time, which no alarm has judged",
        ),
        detail=(
            "Khi nào? Hãy hỏi nơi gửi và bổ sung thời điểm: bản ghi được xét ngay sau đó. Trong "
            "khi chờ, hãy xem các bản ghi.",
            "When was it? Ask the sender and enter the time: they are judged at once then. "
            "Meanwhile look at the records.",
        ),
    ),
)


def held_rows(records: Observations) -> pd.DataFrame:
    """The records of either kind."""
    chosen = [kind.chosen(records.rows) for kind in _KINDS]
    return records.rows[pd.concat(chosen, axis=1).any(axis=1)]


def held_findings(
    scan_findings: ScanFindings, records: Observations, run_id: int | None = None
) -> Iterator[tuple[Findings, frozenset[int]]]:
    """Findings of each kind of what came today and yesterday: one signal for the whole layer, if
    any; with the ids of all that are held back, of whatever day.

    An alert ends a day after its records have, and at once when they are corrected or deleted;
    others after that are another alert. Few undated records are to be watched.
    """
    first = day_number(scan_findings.until) - _DAYS + 1
    policy = replace(
        scan_findings.policy, same_gap=timedelta(0), close_days=None, quiet=timedelta(days=1)
    )
    for kind in _KINDS:
        held = records.rows[kind.chosen(records.rows)]
        rows = held[day_numbers(held["received_at"]) >= first]
        found = Findings(
            layer_id=scan_findings.layer.id,
            rule=kind.rule,
            until=scan_findings.until,
            official=scan_findings.official,
            simulated=bool(scan_findings.simulated),
            signals=(_signal(scan_findings, kind, rows),) if len(rows) >= kind.least else (),
            policy=policy,
            run_id=run_id,
        )
        yield found, frozenset(held["id"].tolist())


def _signal(scan_findings: ScanFindings, kind: _Kind, rows: pd.DataFrame) -> Signal:
    title, count = scan_findings.layer.title, len(rows)
    hours = (scan_findings.layer.hotspots or HotspotOptions()).late_hours
    placed = rows[rows["h3"] > 0]
    tier = kind.tier(scan_findings.layer.alerts or AlertOptions())
    return Signal(
        tier=tier if count >= LEAST else Tier.WATCH,
        observed=float(count),
        since=midnight(int(day_numbers(rows["received_at"]).min())),
        until=scan_findings.until,
        headline_vi=kind.headline[0].format(title=title.vi, count=number_vi(count)),
        headline_en=kind.headline[1].format(title=title.en, count=number_en(count)),
        detail_vi=kind.detail[0].format(hours=number_vi(hours, 1, trim=True)),
        detail_en=kind.detail[1].format(hours=number_en(hours, 1, trim=True)),
        cells=tuple(sorted({int(cell) for cell in parents_of(placed, _RESOLUTION)})),
        communes=tuple(sorted(rows["commune"].dropna().unique())),
        records=tuple(sorted(int(number) for number in rows["id"])),
        key=kind.rule,
        simulated=scan_findings.rests_on_simulated(rows["id"].tolist()),
    )
