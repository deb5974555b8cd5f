"""The gate before the detectors: what counts as an incident, and what may raise an alarm."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis.repeats import repeats
from gis.errors import BadInput

Flags = npt.NDArray[np.bool_]

NEEDED = (
    "category", "lon", "lat", "happened_at", "received_at", "source", "source_key",
    "default_point", "place_precision_m", "cell",
)  # fmt: skip
JUDGED = ("incident", "in_alarm", "in_commune", "held_back", "reason")


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """The limits of the gate; one rule a field."""

    duplicate_m: float = 150.0
    duplicate_hours: float = 24.0
    coarsest_m: float = 500.0  # a place known to its street
    late_days: float = 7.0
    burst_ratio: float = 5.0  # a source's day, against its median day
    median_days: int = 28
    time_zone: str = "Asia/Ho_Chi_Minh"  # whose days are counted


RULES = CleaningRules()


@dataclass(frozen=True, slots=True)
class Cleaned:
    """`records`: the rows given, with columns JUDGED; `reasons`: counts."""

    records: pd.DataFrame
    reasons: dict[str, int]


def clean(records: pd.DataFrame, rules: CleaningRules = RULES) -> Cleaned:
    """Judge each record; none is dropped, and each that is held back has one reason.

    Needs category, lon, lat (degrees, WGS 84; NaN without a point), happened_at and received_at
    (with time zone), source, source_key (empty: none), default_point, place_precision_m, cell (H3
    resolution 9). `incident` is false for repeats and for what does not say when it happened or was
    received (NaT); `in_alarm` says who may raise an alarm, on the received date. Reasons, the first
    that holds: same_key; undated; same_place (category, distance, hours; of incidents already
    kept); default_point; coarse (counts in its commune alone); late; burst (a source's day above
    the ratio to the median of its days before, at least 1; in its first week, of all sources'
    days); same_hex_day (alarms count one a hex, category and day); "" for none. `in_commune` says
    who may raise an alarm of a commune: these and the coarse, unless late or of a burst;
    `held_back`, what nothing but a burst keeps from both. The order of rows is irrelevant. Raises
    BadInput for a missing column, times without a zone, and degrees that are none.
    """
    _check(records)
    records = records.drop(columns=list(JUDGED), errors="ignore")
    order = records.assign(_key=_text_keys(records)).sort_values(["received_at", "_key"]).index
    rows = records.loc[order].reset_index(drop=True)
    day = rows["received_at"].dt.tz_convert(rules.time_zone).dt.floor("D")
    reason = pd.Series("", index=rows.index, dtype=object)
    _mark(reason, rows.duplicated(["source", "source_key"]).to_numpy() & _keyed(rows), "same_key")
    undated = rows["happened_at"].isna() | rows["received_at"].isna()
    _mark(reason, undated.to_numpy(), "undated")
    _mark(reason, _same_place(rows, (reason == "").to_numpy(), rules), "same_place")
    incident = (reason == "").to_numpy()
    _mark(reason, _flags(rows["default_point"]), "default_point")
    _mark(reason, _coarse(rows, rules), "coarse")
    late = rows["received_at"] - rows["happened_at"] > pd.Timedelta(days=rules.late_days)
    _mark(reason, late.to_numpy(), "late")
    burst = _burst(rows["source"], day, incident, rules)
    _mark(reason, burst, "burst")
    _mark(reason, _repeated(rows.assign(_day=day), (reason == "").to_numpy()), "same_hex_day")
    in_alarm = (reason == "").to_numpy()
    coarse = (reason == "coarse").to_numpy() & ~late.to_numpy()
    judged = pd.DataFrame(
        {
            "incident": incident,
            "in_alarm": in_alarm,
            "in_commune": in_alarm | (coarse & ~burst),
            "held_back": (reason == "burst").to_numpy() | (coarse & burst),
            "reason": reason.to_numpy(),
        },
        index=order,
    )
    counts = {str(name): int(n) for name, n in judged["reason"].value_counts().items() if name}
    return Cleaned(records.join(judged), counts)


def _check(records: pd.DataFrame) -> None:
    missing = [name for name in NEEDED if name not in records]
    if missing:
        raise BadInput(f"records lack {', '.join(missing)}: the gate needs {', '.join(NEEDED)}")
    for name in ("happened_at", "received_at"):
        if not isinstance(records[name].dtype, pd.DatetimeTZDtype):
            raise BadInput(f"{name} has no time zone: give times such as 2026-01-31T08:00+07:00")
    for name, most in (("lon", 180), ("lat", 90)):
        if not pd.api.types.is_numeric_dtype(records[name]):
            raise BadInput(f"{name} holds {records[name].dtype} and no numbers: give degrees")
        if (records[name].abs() > most).any():
            raise BadInput(f"{name} goes beyond ±{most}: give degrees, NaN without a point")
    if not records.index.is_unique:
        raise BadInput("the index of the records repeats: reset it, one label a record")


def _flags(given: pd.Series) -> Flags:
    """What is not said is not so."""
    return given.eq(True).fillna(False).to_numpy(bool)


def _keyed(records: pd.DataFrame) -> Flags:
    """A record without a key is a record of its own."""
    keys = records["source_key"]
    return (keys.notna() & keys.astype(str).ne("")).to_numpy(bool)


def _text_keys(records: pd.DataFrame) -> pd.Series:
    """What orders records that were received at one time."""
    keys = records["source"].astype(str) + "\n" + records["source_key"].astype(str)
    unkeyed = ~_keyed(records)
    if unkeyed.any():
        said = records.loc[unkeyed, ["category", "lon", "lat", "happened_at"]].astype(str)
        keys[unkeyed] += said.agg(" ".join, axis=1)
    return keys


def _mark(reason: pd.Series, flags: Flags, name: str) -> None:
    reason[flags & (reason == "").to_numpy()] = name


def _coarse(rows: pd.DataFrame, rules: CleaningRules) -> Flags:
    unplaced = rows["lon"].isna() | rows["lat"].isna()
    return (unplaced | (rows["place_precision_m"].fillna(0.0) > rules.coarsest_m)).to_numpy(bool)


def _same_place(rows: pd.DataFrame, candidates: Flags, rules: CleaningRules) -> Flags:
    """Repeats of an incident kept before, in the order received; sharp points alone can be."""
    sharp = candidates & ~_coarse(rows, rules) & ~_flags(rows["default_point"])
    some = rows[sharp]
    repeated = np.zeros(len(rows), bool)
    repeated[sharp] = repeats(
        some[["lon", "lat"]].to_numpy(np.float64),
        some["happened_at"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("M8[us]").view("i8"),
        pd.factorize(some["category"], use_na_sentinel=False)[0].astype(np.int64),
        within_m=rules.duplicate_m,
        within_hours=rules.duplicate_hours,
    )
    return repeated


def _burst(source: pd.Series, day: pd.Series, incident: Flags, rules: CleaningRules) -> Flags:
    """Days on which a source sent more than its ratio, to its own median or, in its first week, to
    that of all sources; the first week of all is not judged.
    """
    burst = np.zeros(len(day), bool)
    usual = _median_before(_daily(day[incident]), rules)
    for at in source.groupby(source).indices.values():
        days = day.iloc[at]
        daily = _daily(days[incident[at]])
        own = _median_before(daily, rules)
        median = own.fillna(usual.reindex(daily.index)).clip(lower=1.0)
        burst[at] = days.isin(daily.index[daily > rules.burst_ratio * median])
    return burst


def _daily(days: pd.Series) -> pd.Series:
    return days.value_counts().sort_index().asfreq("D", fill_value=0)


def _median_before(daily: pd.Series, rules: CleaningRules) -> pd.Series:
    """Of the days before each; NaN in the first week."""
    return daily.shift(1).rolling(rules.median_days, min_periods=7).median()


def _repeated(rows: pd.DataFrame, candidates: Flags) -> Flags:
    """All but the first of a hex, category and day."""
    repeated = np.zeros(len(rows), bool)
    at = np.flatnonzero(candidates)
    repeated[at] = rows.iloc[at].duplicated(["cell", "category", "_day"]).to_numpy()
    return repeated
