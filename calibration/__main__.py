"""Measures everything on two processes and writes docs/calibration.md; `make calibrate`.

With `--ordinary-days` it measures weekdays and holidays alone, and writes their section. With
`--city FILE` it watches the reports of that file instead, and only prints what they raised.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from calibration.city import city
from calibration.dirty import KINDS, Dirty, measured
from calibration.injections import CORRIDOR, MERGED, RAMP, Detections, burst, detections
from calibration.ordinary_days import OrdinaryDays, ordinary_days
from calibration.ordinary_days import together as as_one_series
from calibration.page import ORDINARY, Results, ordinary_section, page, pictures
from calibration.province import province
from calibration.quiet_streams import YEAR, QuietStream, quiet_stream
from calibration.service_evaluations import EvaluatedDays, evaluated_days
from calibration.service_evaluations import together as as_one

DOCS = Path(__file__).parents[1] / "docs"
PROCESSES = 2
QUIET_PER_DAY = 4.0
STREAM_YEARS = 16  # for each null, evaluated each day
# More of them, of so many years, evaluated each 15 days: no two evaluations share a day that may
# alarm, and each weekday has its turn.
SPARSE_STREAMS, SPARSE_YEARS, SPARSE_DAYS = 50, 8, 15
# Evaluated after each report: so many streams of reports a day, on so many days each.
EVALUATED = {5.0: (15, 60), 20.0: (10, 20)}
# Series of weekdays and holidays: reports a day, variance over mean; so many of each.
ORDINARY_SERIES = ((10.0, 1.0), (40.0, 1.0), (40.0, 2.0))
ORDINARY_SEEDS = 4
DIRTY_RUNS, DIRTY_PER_DAY = 100, 6.0
STREAMS, TRIALS = 2, 20  # outbreaks are tried in so many streams, so often in each
OUTBREAKS = [
    *[burst(radius, days, 12) for radius in (1.5, 3, 5) for days in (1, 3, 7)],
    *[burst(0.5, 1, extra) for extra in (4, 5, 6)],
    *[burst(1.5, 3, extra) for extra in (4, 6, 8, 16)],
    MERGED, RAMP, CORRIDOR,
]  # fmt: skip
FEW = [burst(0.5, 1, 6), burst(1.5, 3, 12), MERGED, RAMP, CORRIDOR]

the_province = cache(province)


def quiet_year(kind: str, seed: int) -> QuietStream:
    return quiet_stream(the_province(), kind, QUIET_PER_DAY, seed)


def quiet_years(kind: str, seed: int) -> QuietStream:
    days = SPARSE_YEARS * YEAR
    return quiet_stream(the_province(), kind, QUIET_PER_DAY, seed, days, every=SPARSE_DAYS)


def evaluated_days_of(per_day: float, seed: int, days: int) -> EvaluatedDays:
    return evaluated_days(the_province(), per_day, seed, days)


def dirty_runs(kind: str) -> Dirty:
    return measured(the_province(), kind, DIRTY_PER_DAY, 1, DIRTY_RUNS)


def found_in(per_day: float, seed: int) -> list[Detections]:
    outbreaks = OUTBREAKS if per_day == 20 else FEW
    return list(detections(the_province(), per_day, outbreaks, seed, TRIALS))


def together(parts: list[Detections]) -> tuple[Detections, ...]:
    """Trials of one outbreak in several streams as one."""
    ordered = sorted(parts, key=_kind)
    merged = []
    for _, group in groupby(ordered, key=_kind):
        some = list(group)
        days = tuple(day for one in some for day in one.days)
        overlap = tuple(share for one in some for share in one.overlap)
        merged.append(Detections(some[0].outbreak, some[0].per_day, days, overlap))
    return tuple(merged)


def _kind(one: Detections) -> tuple[float, bool, str]:
    return one.per_day, one.outbreak in (RAMP, CORRIDOR, MERGED), one.outbreak.name


def main() -> None:
    started = time.monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:

        def sent(work: Callable[..., Any], asked: list[tuple[Any, ...]]) -> list[Any]:
            return [pool.submit(work, *one) for one in asked]

        streams = [(per_day, seed) for per_day in (5.0, 20.0) for seed in range(STREAMS)]
        found = sent(found_in, streams)
        dirty = sent(dirty_runs, [(kind,) for kind in KINDS])
        series = sent(ordinary_days, _ordinary_series())
        evaluations = [
            sent(evaluated_days_of, [(per_day, seed, days) for seed in range(streams)])
            for per_day, (streams, days) in EVALUATED.items()
        ]
        quiet = []
        for kind in "AB":
            quiet += sent(quiet_year, [(kind, seed) for seed in range(STREAM_YEARS)])
            quiet += sent(quiet_years, [(kind, 100 + seed) for seed in range(SPARSE_STREAMS)])
        trials = together([part for one in found for part in _result(one, started)])
        runs = tuple(_result(one, started) for one in dirty)
        evaluated = tuple(as_one([_result(one, started) for one in each]) for each in evaluations)
        ordinary = _by_series([_result(one, started) for one in series])
        years_watched = tuple(_result(one, started) for one in quiet)
        results = Results(years_watched, runs, trials, evaluated, ordinary)
    write(results)


def _ordinary_series() -> list[tuple[float, float, int]]:
    return [(*one, seed) for one in ORDINARY_SERIES for seed in range(ORDINARY_SEEDS)]


def _by_series(found: list[Any]) -> tuple[OrdinaryDays, ...]:
    return tuple(
        OrdinaryDays(*one, as_one_series(found[n * ORDINARY_SEEDS : (n + 1) * ORDINARY_SEEDS]))
        for n, one in enumerate(ORDINARY_SERIES)
    )


def write_ordinary_days() -> None:
    """Measure weekdays and holidays, and replace their section, the last of the page."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = list(pool.map(ordinary_days, *zip(*_ordinary_series(), strict=True)))
    path = DOCS / "calibration.md"
    before = path.read_text(encoding="utf-8").split(f"{ORDINARY}\n")[0].rstrip()
    section = ordinary_section(_by_series(found))
    path.write_text(f"{before}\n\n{section}\n", encoding="utf-8")


def write(results: Results) -> None:
    (DOCS / "calibration").mkdir(exist_ok=True)
    (DOCS / "calibration.md").write_text(page(results), encoding="utf-8")
    for name, svg in pictures(results).items():
        (DOCS / "calibration" / name).write_text(svg, encoding="utf-8")


def _result(one: Any, started: float) -> Any:
    result = one.result()
    print(f"{time.monotonic() - started:6.0f} s  {str(result)[:70]}", flush=True)
    return result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m calibration")
    parser.add_argument("--ordinary-days", action="store_true", help="weekdays and holidays alone")
    parser.add_argument("--city", type=Path, metavar="FILE", help="reports of a city, as CSV")
    parser.add_argument("--one-stream", action="store_true", help="all its kinds together")
    return parser.parse_args()


if __name__ == "__main__":
    asked = arguments()
    if asked.city:
        with ProcessPoolExecutor(PROCESSES) as pool:
            print(city(asked.city, one_stream=asked.one_stream, each=pool.map).text())
    elif asked.ordinary_days:
        write_ordinary_days()
    else:
        main()
