"""The gate before the detectors: what counts as an incident, and what may raise an alarm."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from gis.errors import BadInput

Flags = npt.NDArray[np.bool_]

NEEDED = (
    "category", "lon", "lat", "happened_at", "received_at", "source", "source_key",
    "default_point", "place_precision_m", "cell",
)  # fmt: skip
EARTH_RADIUS_M = 6_371_008.8


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
    """`records`: the rows given, with columns incident, in_alarm, in_commune, held_back and reason;
    `reasons`: counts.
    """

    records: pd.DataFrame
    reasons: dict[str, int]


def clean(records: pd.DataFrame, rules: CleaningRules = RULES) -> Cleaned:
    """Judge each record; none is dropped, and each that is held back has one reason.

    Needs category, lon, lat (degrees, WGS 84; NaN without a point), happened_at and received_at
    (with time zone), source, source_key, default_point, place_precision_m, cell (H3 resolution 9).
    `incident` is false for repeats and for what does not say when it happened (NaT); `in_alarm`
    says who may raise an alarm, on the received date. Reasons, the first that holds: same_key;
    undated; same_place (category, distance, hours; of incidents already kept); default_point;
    coarse (counts in its commune alone); late; burst (a source's day above the ratio to the median
    of its days before, at least 1; in its first week, of all sources' days); same_hex_day (alarms
    count one a hex, category and day); "" for none. `in_commune` says who may raise an alarm of a
    commune: these and the coarse, unless late or of a burst; `held_back`, what nothing but a burst
    keeps from both. The order of rows is irrelevant. Raises BadInput for a missing column or times
    without a zone.
    """
    _check(records)
    order = records.assign(_key=_text_keys(records)).sort_values(["received_at", "_key"]).index
    rows = records.loc[order].reset_index(drop=True)
    day = rows["received_at"].dt.tz_convert(rules.time_zone).dt.floor("D")
    reason = pd.Series("", index=rows.index, dtype=object)
    _mark(reason, rows.duplicated(["source", "source_key"]).to_numpy(), "same_key")
    _mark(reason, rows["happened_at"].isna().to_numpy(), "undated")
    _mark(reason, _same_place(rows, (reason == "").to_numpy(), rules), "same_place")
    incident = (reason == "").to_numpy()
    _mark(reason, rows["default_point"].to_numpy(bool), "default_point")
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
    if not records.index.is_unique:
        raise BadInput("the index of the records repeats: reset it, one label a record")


def _text_keys(records: pd.DataFrame) -> pd.Series:
    return records["source"].astype(str) + "\n" + records["source_key"].astype(str)


def _mark(reason: pd.Series, flags: Flags, name: str) -> None:
    reason[flags & (reason == "").to_numpy()] = name


def _coarse(rows: pd.DataFrame, rules: CleaningRules) -> Flags:
    unplaced = rows["lon"].isna() | rows["lat"].isna()
    return (unplaced | (rows["place_precision_m"].fillna(0.0) > rules.coarsest_m)).to_numpy(bool)


def _same_place(rows: pd.DataFrame, candidates: Flags, rules: CleaningRules) -> Flags:
    """Repeats of an incident kept before, in the order received; sharp points alone can be."""
    sharp = candidates & ~_coarse(rows, rules) & ~rows["default_point"].to_numpy(bool)
    at = np.flatnonzero(sharp)
    repeated = np.zeros(len(rows), bool)
    for first, second in _close_pairs(rows.iloc[at], rules):
        if not repeated[at[first]]:
            repeated[at[second]] = True
    return repeated


def _close_pairs(rows: pd.DataFrame, rules: CleaningRules) -> list[list[int]]:
    """Pairs (earlier, later received) close in space and time, of one category, in order."""
    if len(rows) < 2:
        return []
    lon, lat = np.radians(rows["lon"].to_numpy()), np.radians(rows["lat"].to_numpy())
    ball = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    happened = rows["happened_at"].dt.tz_convert("UTC").dt.tz_localize(None)
    hours = happened.to_numpy("datetime64[s]").astype(np.int64) / 3600
    category = pd.factorize(rows["category"])[0]
    # In units of the limits: near in each of five axes, of which three are one distance.
    metre, hour = max(rules.duplicate_m, 1e-6), max(rules.duplicate_hours, 1e-6)
    at = np.column_stack([ball * EARTH_RADIUS_M / metre, hours / hour, 2.0 * category])
    pairs = np.sort(cKDTree(at).query_pairs(1 + 1e-9, p=np.inf, output_type="ndarray"), axis=1)
    near = np.linalg.norm(at[pairs[:, 0], :3] - at[pairs[:, 1], :3], axis=1) <= 1
    soon = np.abs(hours[pairs[:, 0]] - hours[pairs[:, 1]]) <= rules.duplicate_hours
    kept = pairs[near & soon]
    ordered: list[list[int]] = kept[np.lexsort((kept[:, 0], kept[:, 1]))].tolist()
    return ordered


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
