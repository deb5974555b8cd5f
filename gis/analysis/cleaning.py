"""Quality filter before the detectors: what counts as an incident, and what may raise an alarm."""

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
    """The limits of the quality filter; one rule a field."""

    duplicate_m: float = 150.0
    duplicate_hours: float = 24.0
    coarsest_m: float = 500.0  # a place known to its street
    late_hours: float = 6.0  # from the event to its receipt
    voice_days: float = 14.0  # within which one reporter is one voice; the longest cluster
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
    counted; not of what is late); default_point; coarse (counts in its commune alone); late (its
    own event lies longer before its receipt than the rules allow; a date without an hour, which is
    local midnight, counts from its end); same_hex_day (alarms count one a hex, category and day);
    same_voice (another of the same reporter and category came within some days: a column `voice`
    tells reporters apart by whole numbers, 0 where none is named, and each such record is a voice);
    "" for none.
    `in_commune` says who may raise an alarm of a commune: these and the coarse, unless late or of
    the same voice;
    `held_back`, what nothing but its lateness keeps from both. How many come in a day, from whom or
    in which file is irrelevant, for a disaster comes so too. What is late takes the place of
    nothing that is not: of one incident reported late and in time, the report in time may alarm. No
    judgement of `in_alarm`, `in_commune` and `held_back` rests on what is received later. The order
    of rows is irrelevant. Raises BadInput for a missing column, times without a zone, and degrees
    that are none.
    """
    _check(records)
    records = records.drop(columns=list(JUDGED), errors="ignore")
    order = records.assign(_key=_text_keys(records)).sort_values(["received_at", "_key"]).index
    rows = records.loc[order].reset_index(drop=True)
    late = _late(rows, rules)
    reason = _repeats(rows, np.ones(len(rows), bool), rules)
    incident = (reason == "").to_numpy()
    if late.any():
        reason = reason.where(late, _repeats(rows, ~late, rules))
        reason[late & (reason == "same_place").to_numpy()] = ""  # late whatever it repeats
    _mark(reason, _flags(rows["default_point"]), "default_point")
    _mark(reason, _coarse(rows, rules), "coarse")
    _mark(reason, late, "late")
    day = rows["received_at"].dt.tz_convert(rules.time_zone).dt.floor("D")
    _mark(reason, _repeated(rows.assign(_day=day), (reason == "").to_numpy()), "same_hex_day")
    again = _same_voice(rows, reason.isin(("", "coarse")).to_numpy() & ~late, rules)
    _mark(reason, again, "same_voice")
    in_alarm = (reason == "").to_numpy()
    coarse = (reason == "coarse").to_numpy() & ~again
    judged = pd.DataFrame(
        {
            "incident": incident,
            "in_alarm": in_alarm,
            "in_commune": in_alarm | (coarse & ~late),
            "held_back": (reason == "late").to_numpy() | (coarse & late),
            "reason": reason.to_numpy(),
        },
        index=order,
    )
    counts = {str(name): int(n) for name, n in judged["reason"].value_counts().items() if name}
    return Cleaned(records.join(judged), counts)


def _check(records: pd.DataFrame) -> None:
    missing = [name for name in NEEDED if name not in records]
    if missing:
        raise BadInput(
            f"records lack {', '.join(missing)}: the quality filter needs {', '.join(NEEDED)}"
        )
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
    """Flags of a column, where a missing value counts as false."""
    return given.eq(True).fillna(False).to_numpy(bool)


def _keyed(records: pd.DataFrame) -> Flags:
    """A record without a key is a record of its own."""
    keys = records["source_key"]
    return (keys.notna() & keys.astype(str).ne("")).to_numpy(bool)


def _text_keys(records: pd.DataFrame) -> pd.Series:
    """The order of records that were received at one time."""
    keys = records["source"].astype(str) + "\n" + records["source_key"].astype(str)
    unkeyed = ~_keyed(records)
    if unkeyed.any():
        said = records.loc[unkeyed, ["category", "lon", "lat", "happened_at"]].astype(str)
        keys[unkeyed] += said.agg(" ".join, axis=1)
    return keys


def _mark(reason: pd.Series, flags: Flags, name: str) -> None:
    reason[flags & (reason == "").to_numpy()] = name


def _late(rows: pd.DataFrame, rules: CleaningRules) -> Flags:
    local = rows["happened_at"].dt.tz_convert(rules.time_zone)
    dated = (local == local.dt.floor("D")).to_numpy()
    end = rows["happened_at"] + pd.to_timedelta(np.where(dated, 1, 0), unit="D")
    return (rows["received_at"] - end > pd.Timedelta(hours=rules.late_hours)).to_numpy(bool)


def _repeats(rows: pd.DataFrame, among: Flags, rules: CleaningRules) -> pd.Series:
    """same_key, undated, same_place or "" of each row, by comparing those `among` them alone."""
    reason = pd.Series("", index=rows.index, dtype=object)
    keyed = _keyed(rows) & among
    again = np.zeros(len(rows), bool)
    again[keyed] = rows[keyed].duplicated(["source", "source_key"]).to_numpy()
    _mark(reason, again, "same_key")
    _mark(reason, (rows["happened_at"].isna() | rows["received_at"].isna()).to_numpy(), "undated")
    _mark(reason, _same_place(rows, among & (reason == "").to_numpy(), rules), "same_place")
    return reason


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


def _same_voice(rows: pd.DataFrame, candidates: Flags, rules: CleaningRules) -> Flags:
    """Records of a reporter who had another that counts, of the same category, shortly before."""
    again = np.zeros(len(rows), bool)
    if "voice" not in rows:
        return again
    at = np.flatnonzero(candidates & (rows["voice"] > 0).to_numpy())
    some = rows.iloc[at]
    pause = some.groupby(["voice", "category"], sort=False, dropna=False)["received_at"].diff()
    again[at] = (pause <= pd.Timedelta(days=rules.voice_days)).to_numpy()
    return again


def _repeated(rows: pd.DataFrame, candidates: Flags) -> Flags:
    """All but the first of a hex, category and day."""
    repeated = np.zeros(len(rows), bool)
    at = np.flatnonzero(candidates)
    repeated[at] = rows.iloc[at].duplicated(["cell", "category", "_day"]).to_numpy()
    return repeated
