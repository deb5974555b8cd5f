"""Signals and findings for tests: a few hexes near a place, on a day of March 2026."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import h3

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = Policy(false_alerts_a_year=4)  # an alert from a recurrence interval of 91 days


def day(n: float) -> datetime:
    return DAY + timedelta(days=n)


def disk(lon: float = 104.15, lat: float = 22.05, rings: int = 1) -> tuple[int, ...]:
    cells = h3.grid_disk(h3.latlng_to_cell(lat, lon, 8), rings)
    return tuple(sorted(h3.str_to_int(cell) for cell in cells))


def signal(n: float = 0, lon: float = 104.15, lat: float = 22.05, **changes: Any) -> Signal:
    """A cluster on day n, of three days: 12 records where 1 was expected."""
    made = Signal(
        tier=Tier.ALERT,
        observed=12,
        expected=1,
        llr=20.0,
        p=0.001,
        recurrence_days=1000,
        since=day(n - 3),
        until=day(n),
        headline_vi="12 báo cáo trong 3 ngày, bình thường 1",
        headline_en="12 reports in 3 days, normally 1",
        cells=disk(lon, lat),
        communes=("00004",),
        centre=(lon, lat),
        radius_m=1000,
        records=tuple(range(1, 13)),
    )
    return replace(made, **changes)


def found(n: float, *signals: Signal, **changes: Any) -> Findings:
    made = Findings(
        layer_id="citizen_reports",
        rule="scan",
        until=day(n),
        official=True,
        simulated=False,
        signals=signals,
        policy=POLICY,
    )
    return replace(made, **changes)
