"""docs/calibration.md and its pictures, from results."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.stats import chi2

from calibration.charts import Axis, Points, chart
from calibration.daily_evaluation import DAY_LIMITS
from calibration.dirty import Dirty
from calibration.injections import CORRIDOR, MERGED, RAMP, Detections
from calibration.ordinary_days import WATCH, WEEKDAYS, DaysOfKind, OrdinaryDays
from calibration.quiet_streams import YEAR, QuietStream
from calibration.service_evaluations import EvaluatedDays, together

EVALUATION_LIMITS = (30, 100)  # days; for 365, far more of them would have to be evaluated


@dataclass(frozen=True, slots=True)
class Results:
    """All measurements."""

    quiet: tuple[QuietStream, ...]
    dirty: tuple[Dirty, ...]
    detections: tuple[Detections, ...]
    evaluated: tuple[EvaluatedDays, ...]
    ordinary: tuple[OrdinaryDays, ...] = ()

    def one(self, name: str, per_day: float = 20.0) -> Detections:
        """The trials of an outbreak in the stream of so many reports a day."""
        return next(f for f in self.detections if f.outbreak.name == name and f.per_day == per_day)


def realised(streams: Sequence[QuietStream], limit: int) -> float:
    """Alarm-days over those to be expected."""
    days = sum(len(one.p) for one in streams)
    return sum(one.alarm_days[limit] for one in streams) / (days / limit)


def interval(streams: Sequence[QuietStream], limit: int) -> tuple[float, float]:
    """The 95 % interval of `realised`: its runs of alarm-days taken as a Poisson number of them.

    Each run as long as they are on average; without any, as of a day. Source: Garwood 1936.
    """
    nominal = sum(len(one.p) for one in streams) / limit
    some = sum(one.runs[limit] for one in streams)
    length = sum(one.alarm_days[limit] for one in streams) / some if some else 1.0
    low, high = garwood(some)
    return low * length / nominal, high * length / nominal


def garwood(found: int) -> tuple[float, float]:
    """The 95 % interval of the mean of a Poisson number that was found to be so many."""
    low = chi2.ppf(0.025, 2 * found) / 2 if found else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * found + 2) / 2)


def targets(results: Results) -> list[tuple[str, str, bool]]:
    """Each target: in words, what was reached, whether it holds."""
    by_null = [[one for one in results.quiet if one.kind == kind] for kind in "AB"]
    ratios = [realised(streams, limit) for streams in by_null for limit in DAY_LIMITS]
    spans = [interval(streams, limit) for streams in by_null for limit in DAY_LIMITS]
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    every = together(list(results.evaluated))
    live = [every.alarms(limit) * limit / every.days for limit in EVALUATION_LIMITS]
    spread = [
        at * limit / every.days
        for limit in EVALUATION_LIMITS
        for at in garwood(every.alarms(limit))
    ]
    worst = max(one.filtered for one in results.dirty)
    wide, sharp = results.one("1.5 km, 3 d, 12"), results.one("0.5 km, 1 d, 6")
    ramp = results.one(RAMP.name)
    overlaps = [float(np.mean(one.overlap)) for one in (wide, ramp)]
    return [
        (
            "alarm-days realised over nominal, A and B, in 0.5–1.5",
            f"{_between(min(ratios), max(ratios))} (95 %: {_between(low, high)})",
            min(ratios) >= 0.5 and max(ratios) <= 1.5,
        ),
        (
            "days with an alarm in any evaluation over nominal, RI 30 and 100, in 0.5–1.5",
            f"{_between(min(live), max(live))} (95 %: {_between(min(spread), max(spread))})",
            min(live) >= 0.5 and max(live) <= 1.5,
        ),
        ("each kind of fault at most 10 % after the quality filter", f"{worst:.1%}", worst <= 0.10),
        (
            "power 1.5 km, 3 days, 12 reports at least .85",
            _share(wide.power()),
            wide.power() >= 0.85,
        ),
        (
            "power 0.5 km, 1 day, 6 reports at least .95",
            _share(sharp.power()),
            sharp.power() >= 0.95,
        ),
        ("ramps found by day 5 (median)", f"{ramp.median_day():g}", ramp.median_day() <= 5),
        ("Jaccard of hexes at least .65", f"{min(overlaps):.2f}", min(overlaps) >= 0.65),
    ]


def page(results: Results) -> str:
    """The whole page as Markdown."""
    return (
        "\n\n".join(
            [
                _HEAD, _targets(results), _nulls(results), _evaluations(results), _dirt(results),
                _detections(results), ordinary_section(results.ordinary),
            ]
        )
        + "\n"
    )  # fmt: skip


_HEAD = """# Calibration of the alarms

How often the alarm is wrong, what it finds, and how soon. `make calibrate` writes this page from
fixed seeds; nobody edits it. The province is made up: a disk of hexes of the size of Lào Cai with
99 towns of unequal size. The alarm is `stp_scan` as the service runs it: the last 90 days, circles
up to 10 km, up to 14 days, at least 3 reports, 999 replicates (given up at 34 that reach the value,
which leaves every p up to 1/30 as it is); below p .01 the law of their tail (`tail_p`). A
*recurrence interval* (RI) of 100 days means: chance alone brings such a cluster once in 100
days. Where each day is evaluated once, it is 1/p. The service evaluates after each report, and
takes it as 1/(3p): of a day's evaluations the rarest is about as rare as that ([why](why.md)).
These have a section of their own; in all others there is one a day."""


def _targets(results: Results) -> str:
    rows = [(words, reached, _holds(holds)) for words, reached, holds in targets(results)]
    return "## Targets\n\n" + _table(("target", "reached", ""), rows)


def _nulls(results: Results) -> str:
    rows = []
    for kind in "AB":
        streams = sorted((one for one in results.quiet if one.kind == kind), key=_stream)
        for stream, group in groupby(streams, key=_stream):
            rows += _quiet_rows(_named(*stream), list(group))
        rows += _quiet_rows((kind, "all", "together"), streams)
    heads = (
        "null", "reports a day", "evaluated every", "evaluations", "stream-years", "RI",
        "alarms expected", "found", "in runs", "realised / nominal", "95 %",
        "distinct signals a year",
    )  # fmt: skip
    return f"""## Nothing happens

Null A: people × weekday × season. Null B: events in lumps of place and time, their days then
permuted within weekday. A *distinct signal* is an alert by the service's own rules of identity and
life: one thing that goes on, moves a little or comes back within days is one.

Alarms come in runs of days, so evaluations day after day say little about rare alarms: in a
stream-year an RI of 365 days stands for one day, and less than one run. Evaluations 15 days apart
share no day that may alarm and hardly depend on each other; so most stream-years are evaluated so.
The target is of all evaluations together, however far apart. The 95 % interval says what is noise:
it takes the runs of alarms, those less than 14 days apart being one, as a Poisson number.

{_table(heads, rows)}

![QQ plot of p under null A](calibration/qq-a.svg)
![QQ plot of p under null B](calibration/qq-b.svg)"""


def _stream(one: QuietStream) -> tuple[str, float, int]:
    return one.kind, one.per_day, one.every


def _named(kind: str, per_day: float, every: int) -> tuple[str, str, str]:
    return kind, f"{per_day:g}", "day" if every == 1 else f"{every} days"


def _quiet_rows(
    name: tuple[str, str, str], streams: Sequence[QuietStream]
) -> list[tuple[str, ...]]:
    """One row a limit."""
    evaluations = sum(len(one.p) for one in streams)
    years = sum(len(one.p) * one.every for one in streams) / YEAR
    daily = all(one.every == 1 for one in streams)
    return [
        (
            *name, f"{evaluations:,}", f"{years:.1f}", str(limit), f"{evaluations / limit:.1f}",
            str(sum(one.alarm_days[limit] for one in streams)),
            str(sum(one.runs[limit] for one in streams)),
            f"{realised(streams, limit):.2f}", _between(*interval(streams, limit)),
            f"{sum(one.distinct[limit] for one in streams) / years:.2f}" if daily else "–",
        )
        for limit in DAY_LIMITS
    ]  # fmt: skip


def _evaluations(results: Results) -> str:
    rows = [row for one in results.evaluated for row in _evaluation_rows(f"{one.per_day:g}", one)]
    rows += _evaluation_rows("together", together(list(results.evaluated)))
    heads = (
        "reports a day", "days", "evaluations", "RI", "days expected", "found",
        "realised / nominal", "95 %", "if RI were 1/p", "last evaluation alone",
        "last evaluation, RI 1/p",
    )  # fmt: skip
    return f"""## Nothing happens, and each report is an evaluation

Null A as the service evaluates it: as the day begins and after each report, by a null that is
drawn in the day's first evaluation and judges the others until there are 2 % more cases. *Found*:
days on which any evaluation had an RI, taken as 1/(3p), of at least so much; the interval is that
of a Poisson number.
The days are 15 days apart, and each counts once. For contrast, the ratio if the RI were 1/p; and
both ratios of the last evaluation of each day alone.

{_table(heads, rows)}"""


def _evaluation_rows(name: str, one: EvaluatedDays) -> list[tuple[str, ...]]:
    """One row a limit."""
    rows = []
    for limit in EVALUATION_LIMITS:
        expected, found = one.days / limit, one.alarms(limit)
        low, high = garwood(found)
        others = (
            one.alarms(limit, factor=1),
            one.alarms(limit, last=True),
            one.alarms(limit, last=True, factor=1),
        )
        rows.append(
            (
                name, f"{one.days:,}", f"{one.evaluations:,}", str(limit), f"{expected:.1f}",
                str(found),
                f"{found / expected:.2f}", _between(low / expected, high / expected),
                *(f"{days / expected:.2f}" for days in others),
            )
        )  # fmt: skip
    return rows


def _between(low: float, high: float) -> str:
    return f"{low:.2f}–{high:.2f}"


def _dirt(results: Results) -> str:
    rows = [
        (one.kind, str(one.runs), f"{one.raw:.1%}", f"{one.filtered:.1%}") for one in results.dirty
    ]
    return f"""## Nothing happens, and the records are dirty

Null C, 6 reports a day, each run one evaluation at a nominal 5 %. *Raw* takes every record on the
day it came (uneven delay: on its own day); *filtered* takes what `clean` lets through, with strata
of weekdays where towns differ in their week. The backlog comes today, with the true dates of its
events, which is how the quality filter knows it. Nothing tells one that is dated today as well
from a surge: it raises an alarm, and a person has to check it.

{_table(("records", "runs", "raw", "filtered"), rows)}"""


def _detections(results: Results) -> str:
    rows = [
        (
            f"{one.per_day:g}", one.outbreak.name, str(len(one.days)), _share(one.power()),
            f"{one.median_day():g}", f"{np.mean(one.overlap):.2f}" if one.overlap else "–",
        )
        for one in results.detections
    ]  # fmt: skip
    heads = (
        "reports a day",
        "extra: radius, days, reports",
        "trials",
        "power",
        "median day",
        "Jaccard",
    )
    return f"""## Something happens

Extra reports in a quiet stream, at places chosen by people. *Power*: found at RI ≥ 100 by the last
day of the outbreak (at least day 3), with a cluster that holds one of its hexes. Day 1 is the first
day; *inf*: fewer than half were found within a week. *Jaccard*: hexes of the cluster against the
hexes of the outbreak with any report. Extra reports are such as count, one a small hex (0.1 km²)
and day; in “some at one place” they fall anywhere in one hex, and those that coincide are merged.

{_table(heads, rows)}

![Power by the number of reports](calibration/power.svg)
![Found by day](calibration/delay.svg)"""


ORDINARY = "## Ordinary days"


def ordinary_section(some: Sequence[OrdinaryDays]) -> str:
    """The section of weekdays and holidays, which stands at the end of the page."""
    heads = (
        "reports a day", "variance / mean", "day", "days", "p ≤ .05", "95 %", "power, p ≤ .001",
        "power, watch", "EARS: p ≤ .05", "EARS: power, p ≤ .001",
    )  # fmt: skip
    rows = [
        (f"{each.per_day:g}", f"{each.dispersion:g}", *_row_of_kind(one))
        for each in some
        for one in each.kinds
    ]
    bars = [one for each in some for one in each.kinds if is_barred(one)]
    shares, powers = [one.share() for one in bars], [one.power() for one in bars]
    targets_reached = [
        (
            "quiet days with p ≤ .05, on each weekday and after each holiday, in .03–.07",
            f"{min(shares, default=0):.3f}–{max(shares, default=0):.3f}",
            _holds(all(0.03 <= share <= 0.07 for share in shares)),
        ),
        (
            "power of a rise of 5 sd on each of them, at p ≤ .001, at least .7",
            _share(min(powers, default=0)),
            _holds(all(power >= 0.7 for power in powers)),
        ),
    ]
    return f"""{ORDINARY}

Series by the detector `regression`, as the service judges them at the end of a day: the counts of
2004 to 2026 of a made-up stream, with weekdays (a Monday has 2.25 times a Sunday), a season of 30 %
and the public holidays (a Tết of a fifth of a Sunday, other holidays of seven tenths, a day after
them of a fifth more, and the week after Tết of a fifth less). Of ordinary days one in three is
judged, of the others each. *Power*: of a rise of five standard deviations of that day's law. At
p ≤ .001 it is rare for that series; *watch*: it raises an alert of the least tier, once in 30 days
of any among 101 series (p ≤ {WATCH:.5f}). p is made continuous, so that .05 can be reached; the
service's p is that of whole numbers, and never smaller. The interval is Clopper and Pearson's.
`ears` (C2) for contrast.

{_table(("target", "reached", ""), targets_reached)}

{_table(heads, rows)}"""


def is_barred(one: DaysOfKind) -> bool:
    """True for the kinds of days that the targets are of: weekdays, and after holidays."""
    return one.kind in WEEKDAYS or one.kind.startswith("after")


def _row_of_kind(one: DaysOfKind) -> tuple[str, ...]:
    low, high = one.interval()
    return (
        one.kind.replace("tet", "Tết"), f"{one.days:,}", f"{one.share():.3f}",
        f"{low:.3f}–{high:.3f}", _share(one.power()), _share(one.watched / one.days),
        f"{one.ears_small / one.days:.3f}", _share(one.ears_rare / one.days),
    )  # fmt: skip


def _holds(holds: bool) -> str:
    return "holds" if holds else "**missed**"


def pictures(results: Results) -> dict[str, str]:
    """Name → SVG."""
    by_size = {
        shape: [
            (sum(one.outbreak.daily), one.power())
            for one in results.detections
            if one.per_day == 20 and one.outbreak.name.startswith(shape) and one.outbreak.apart
        ]
        for shape in ("0.5 km, 1 d", "1.5 km, 3 d")
    }
    shares = Axis("share found", (0, 0.25, 0.5, 0.75, 1))
    by_day = {
        name: [(day, results.one(name).power(day)) for day in range(1, 8)]
        for name in (RAMP.name, CORRIDOR.name, "1.5 km, 3 d, 12", MERGED.name)
    }
    reports = Axis("extra reports", (4, 8, 12, 16))
    return {
        "qq-a.svg": _qq("A", results.quiet),
        "qq-b.svg": _qq("B", results.quiet),
        "power.svg": chart(
            "Power at RI ≥ 100, 20 reports a day", reports, shares, _sorted(by_size)
        ),
        "delay.svg": chart("Found by day", Axis("day", range(1, 8)), shares, by_day),
    }


def _sorted(lines: Mapping[str, Points]) -> dict[str, Points]:
    return {name: sorted(points) for name, points in lines.items()}


def _qq(kind: str, streams: Iterable[QuietStream]) -> str:
    """QQ plot of sorted p against what as many uniform ones would be, both as powers of ten."""
    some = [one for one in streams if one.kind == kind]
    lines: dict[str, Points] = {}
    for per_day in sorted({one.per_day for one in some}):
        p = np.sort(np.concatenate([one.p for one in some if one.per_day == per_day]))
        expected = (np.arange(len(p)) + 0.5) / len(p)
        kept = np.unique(np.geomspace(1, len(p), 200).astype(int)) - 1
        lines[f"{per_day:g} reports a day"] = [
            (-math.log10(expected[i]), -math.log10(max(p[i], 1e-4))) for i in kept
        ]
    words = ("1", ".1", ".01", ".001", ".0001")
    x, y = (Axis(name, range(5), words) for name in ("uniform p", "p found"))
    return chart(f"p of quiet days, null {kind}", x, y, lines, diagonal="as it should be")


def _share(value: float) -> str:
    return f"{value:.2f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
