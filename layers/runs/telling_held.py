"""What only a burst of its source keeps from the alarms, as the officer on duty is told of it."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd

from gis.alerts.findings import Findings, Signal
from gis.analysis.cleaning import RULES
from gis.text import number_en, number_vi
from layers.model import AlertOptions
from layers.runs.map import parents_of
from layers.runs.records import Records, day_number, day_numbers, midnight
from layers.runs.telling import Teller

RULE = "held_back"  # under which it raises an alert
LEAST = 3  # records; a cluster needs as many
_DAYS = 2  # the day under way, and the one before
_RESOLUTION = 8  # of the hexes that are shown


def held_back_findings(teller: Teller, records: Records, run_id: int | None = None) -> Findings:
    """One look at what was held back today and yesterday: one signal for the whole layer, if any.

    It ends with its evidence, a day later; another burst after that is another alert.
    """
    first = day_number(teller.until) - _DAYS + 1
    rows = records.rows[records.rows["held_back"].astype(bool)]
    rows = rows[day_numbers(rows["received_at"]) >= first]
    policy = replace(teller.policy, same_gap=timedelta(0), close_days=None, quiet=timedelta(days=1))
    return Findings(
        layer_id=teller.layer.id,
        rule=RULE,
        until=teller.until,
        official=teller.official,
        simulated=bool(teller.simulated),
        signals=(_signal(teller, rows),) if len(rows) >= LEAST else (),
        policy=policy,
        run_id=run_id,
    )


def _signal(teller: Teller, rows: pd.DataFrame) -> Signal:
    title, count = teller.layer.title, len(rows)
    detail_vi, detail_en = held_back_words(rows["source"].nunique())
    placed = rows[rows["h3"] > 0]
    return Signal(
        tier=(teller.layer.alerts or AlertOptions()).held_back,
        observed=float(count),
        since=midnight(int(day_numbers(rows["received_at"]).min())),
        until=teller.until,
        headline_vi=f"{title.vi}: {number_vi(count)} bản ghi bị giữ lại, chưa được xét báo động",
        headline_en=f"{title.en}: {number_en(count)} records held back, which no alarm has judged",
        detail_vi=detail_vi,
        detail_en=detail_en,
        cells=tuple(sorted({int(cell) for cell in parents_of(placed, _RESOLUTION)})),
        communes=tuple(sorted(rows["commune"].dropna().unique())),
        records=tuple(sorted(int(number) for number in rows["id"])),
        key=RULE,
        simulated=teller.rests_on_simulated(rows["id"]),
    )


def held_back_words(sources: int) -> tuple[str, str]:
    """Why, and what to do; sources by their number, since the public may read it."""
    ratio = f"{RULES.burst_ratio:.0f}"
    some = "one source" if sources == 1 else f"{sources} sources"
    return (
        f"Gửi dồn: {sources} nguồn gửi trong một ngày hơn {ratio} lần mức thường lệ. Có thể là báo "
        "cáo dồn lại, cũng có thể là sự việc thật: hãy xem các bản ghi.",
        f"A burst: {some} sent in a day more than {ratio} times the usual. It may be a backlog, "
        "and it may be real: look at the records.",
    )
