"""The rows of a layer with the verdict of the quality filter on each."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Table,
    Text,
    and_,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gis import analysis
from gis.errors import BadInput
from layers.definition.model import POPULATION, HotspotOptions, Layer
from layers.storage.tables import SCHEMA, table_of

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
GATE_RESOLUTION = 9  # of "one a hex, category and day"
_EPOCH = datetime(1970, 1, 1).toordinal()

# The records of an incident that the quality filter counts once.
_EVIDENCE = ("", "same_key", "same_place", "same_hex_day", "same_voice")
SENDER = "sender "  # before the number of one, in the columns that are read
_FLAWED = ("default_point", "coarse")


@dataclass(frozen=True, slots=True)
class Observations:
    """Rows received in a window, judged by the quality filter; those without any time count as
    received when they were stored.

    `rows`: id, category, h3 (resolution 11; 0 without a point), commune, amount (of the measure; 1
    without one), happened_at and received_at (UTC), source, incident, in_alarm, in_commune,
    held_back, voice (whole numbers of these rows alone, equal for one reporter or sender; 0:
    neither is known), is_named (its reporter is known) and reason (see gis.analysis.clean).
    `left_out`: how many were held back from alarms, by reason. `simulated`: the ids of the
    simulated records among them.
    """

    rows: pd.DataFrame
    left_out: dict[str, int]
    simulated: frozenset[int]


def read_records(
    connection: Connection,
    layer: Layer,
    options: HotspotOptions,
    since: datetime,
    until: datetime,
    more: pd.DataFrame | None = None,
) -> Observations:
    """Rows received after `since` and up to `until`; `more` are judged with them as if stored.

    Those shortly before are read too, of which the first of the window may be repeats. A row that
    tells no time at all is of the window in which it was stored, and left out.
    Where the layer's file names a personal `reporter`, the connection must be allowed to read
    schema private, as a writer's is.
    """
    rules = analysis.CleaningRules(late_hours=options.late_hours)
    early = since - timedelta(hours=rules.late_hours + rules.duplicate_hours)
    if options.reporter is not None or options.senders:
        early = min(early, since - timedelta(days=rules.voice_days))
    read = _read(connection, layer, options, early, until)
    if more is not None:
        both = (read, more.reindex(columns=list(read.columns)))
        together = [row for one in both for row in one.itertuples(index=False, name=None)]
        read = pd.DataFrame(together, columns=read.columns)
    judged = analysis.clean(_typed(read), rules).records
    rows = judged[judged["received_at"] > since].reset_index(drop=True)
    simulated = frozenset(rows.loc[rows["simulated"], "id"].tolist())
    return Observations(rows, _left_out(rows, "in_alarm"), simulated)


def for_communes(records: Observations) -> Observations:
    """The same records, of which those with a coarse place are not left out."""
    return replace(records, left_out=_left_out(records.rows, "in_commune"))


def _left_out(rows: pd.DataFrame, counted: str) -> dict[str, int]:
    reasons = rows.loc[~rows[counted].astype(bool), "reason"].value_counts()
    return {str(reason): int(n) for reason, n in sorted(reasons.items())}


def day_number(at: datetime) -> int:
    """The day in Vietnam as a number; days that differ by 7 are of one weekday."""
    return at.astimezone(ZONE).toordinal() - _EPOCH


def day_numbers(at: pd.Series) -> npt.NDArray[np.int64]:
    """The days of a column of instants in Vietnam, as numbers."""
    local = at.dt.tz_convert(ZONE).dt.tz_localize(None)
    days: npt.NDArray[np.int64] = local.to_numpy("datetime64[D]").astype(np.int64)
    return days


def minute_of_day(at: datetime) -> int:
    """Minutes since midnight in Vietnam."""
    local = at.astimezone(ZONE)
    return 60 * local.hour + local.minute


def minutes_of_day(at: pd.Series) -> npt.NDArray[np.int16]:
    """Minutes since midnight in Vietnam of a column of instants."""
    local = at.dt.tz_convert(ZONE)
    minutes: npt.NDArray[np.int16] = (60 * local.dt.hour + local.dt.minute).to_numpy(np.int16)
    return minutes


def date_of(day: int) -> date:
    """The date of a day by its number."""
    return date.fromordinal(day + _EPOCH)


def midnight(day: int) -> datetime:
    """The instant at which the day of that number begins in Vietnam."""
    return datetime.fromordinal(day + _EPOCH).replace(tzinfo=ZONE)


def evidence_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Records of incidents that alarms count, with the repeats that count once."""
    return rows[rows["reason"].isin(_EVIDENCE)]


def sharp(rows: pd.DataFrame) -> pd.DataFrame:
    """One record an incident, where its place is known: what maps count."""
    return rows[rows["incident"] & ~rows["reason"].isin(_FLAWED)]


def parents_of(rows: pd.DataFrame, resolution: int) -> npt.NDArray[np.uint64]:
    """The hex of each record at a resolution, by the layout of an H3 index (see gis.h3_parent)."""
    cells = rows["h3"].to_numpy(np.uint64)
    parents = cells & ~(np.uint64(15) << np.uint64(52)) | np.uint64(resolution << 52)
    return np.asarray(parents | np.uint64((1 << (3 * (15 - resolution))) - 1), np.uint64)


def _read(
    connection: Connection, layer: Layer, options: HotspotOptions, since: datetime, until: datetime
) -> pd.DataFrame:
    of = table_of(layer)
    stated, key = _received(of, options), token_hex(16)
    # Nothing was received after it was stored: a sender's clock may be ahead.
    received = func.least(stated, of.c.updated_at)
    category = cast(of.c[options.category], Text) if options.category else literal("")
    columns = {
        "id": of.c.id,
        "category": func.coalesce(category, ""),
        "lon": func.ST_X(of.c.geom),
        "lat": func.ST_Y(of.c.geom),
        "happened_at": of.c.valid_at,
        "received_at": received,
        "source": of.c.source,
        "source_key": of.c.source_key,
        "default_point": of.c.default_point,
        "place_precision_m": of.c.place_precision_m,
        "h3": func.coalesce(of.c.h3, 0),
        "cell": func.coalesce(func.gis.h3_parent(of.c.h3, GATE_RESOLUTION), 0),
        "commune": of.c.commune,
        "amount": func.greatest(func.coalesce(_amount(of, options), 0), 0),
        "simulated": func.coalesce(of.c.provenance["simulated"].as_boolean(), False),
        "voice": _digest(layer, of, options.reporter, key),
        **{f"{SENDER}{n}": _digest(layer, of, name, key) for n, name in enumerate(options.senders)},
    }
    # Two conditions, so that an index on the stated time can be used.
    inside = or_(
        and_(stated > since, of.c.updated_at > since, received <= until),
        and_(stated.is_(None), of.c.updated_at > since, of.c.updated_at <= until),
    )
    asked = select(*(sql.label(name) for name, sql in columns.items())).where(inside)
    found = connection.execute(asked.order_by(of.c.id))
    return pd.DataFrame(map(tuple, found.all()), columns=list(columns))


def _digest(layer: Layer, of: Table, name: str | None, key: str) -> ColumnElement[str | None]:
    """A digest of who a field names; NULL without any. A number in any notation is one.

    Its key is drawn for each reading and forgotten: no digest is of use to anybody afterwards, and
    none has to be rotated.
    """
    if name is None:
        return cast(null(), Text)
    if layer.fields[name].personal:
        reporter = table(
            "reporter", column("layer_id"), column("source"), column("source_key"),
            column("details", JSONB), schema="private",
        )  # fmt: skip
        said: Any = (
            select(reporter.c.details[name].astext)
            .where(reporter.c.layer_id == layer.id, reporter.c.source == of.c.source,
                   reporter.c.source_key == of.c.source_key)
            .scalar_subquery()
        )  # fmt: skip
    else:
        said = cast(of.c[name], Text)
    return func.md5(literal(key).op("||")(func.gis.reporter_of(said)))


def _amount(of: Table, options: HotspotOptions) -> ColumnElement[int]:
    one: ColumnElement[int] = literal(1)
    return of.c[options.measure] if options.measure else one


def _received(of: Table, options: HotspotOptions) -> ColumnElement[datetime]:
    if options.received is None:
        happened: ColumnElement[datetime] = of.c.valid_at
        return happened
    return func.coalesce(of.c[options.received], of.c.valid_at)


def commune_names(connection: Connection) -> dict[str, str]:
    """The communes in force, by code."""
    rows = connection.execute(text("SELECT code, full_name FROM layer.communes"))
    return {row.code: row.full_name for row in rows}


def read_exposure(
    connection: Connection, of: str, resolution: int, field: str | None = None
) -> pd.DataFrame:
    """The exposure of each hex: inhabitants, or points of a layer, or the sum of a number `field`
    of these, of which none is below 0. Columns cell, count.

    Raises BadInput where there are none: without them nothing can be expected anywhere.
    """
    return (
        _inhabitants(connection, resolution)
        if of == POPULATION
        else _points(connection, of, resolution, field)
    )


def _inhabitants(connection: Connection, resolution: int) -> pd.DataFrame:
    rows = connection.execute(_INHABITANTS, {"resolution": resolution}).all()
    if not rows:
        raise BadInput(
            "no population is loaded, which is the `exposure`: run `gis population load FILE`, or "
            "leave `exposure` out of the layer file"
        )
    return pd.DataFrame(rows, columns=["cell", "count"])


_INHABITANTS = text(
    "SELECT cell, people FROM gis.population WHERE gis.h3_resolution(cell) = :resolution"
)


def _points(
    connection: Connection, layer_id: str, resolution: int, field: str | None
) -> pd.DataFrame:
    names = ("h3", "default_point", *([field] if field else []))
    points = table(layer_id, *(column(name) for name in names), schema=SCHEMA)
    cell = func.gis.h3_parent(points.c.h3, resolution).label("cell")
    summed = func.sum(func.greatest(func.coalesce(points.c[field], 0), 0)) if field else None
    count = func.count() if summed is None else cast(summed, Float)
    asked = select(cell, count.label("count")).group_by(cell)
    found = connection.execute(asked.where(points.c.h3.is_not(None), ~points.c.default_point))
    rows = found.all()
    if not rows:
        raise BadInput(
            f"the layer {layer_id}, which is the `exposure`, has no point in any hex (default "
            "points do not count): load its records, or leave `exposure` out of the layer file"
        )
    kind = np.float64 if field else np.int64
    return pd.DataFrame(rows, columns=["cell", "count"]).astype({"cell": np.int64, "count": kind})


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Empty columns have no type of their own."""
    times = {
        name: pd.to_datetime(rows[name], utc=True).astype("datetime64[us, UTC]")
        for name in ("happened_at", "received_at")
    }
    numbers = {name: rows[name].astype(float) for name in ("lon", "lat", "place_precision_m")}
    flags = {name: rows[name].astype(bool) for name in ("default_point", "simulated")}
    whole = {name: rows[name].astype(np.int64) for name in ("h3", "cell", "amount")}
    senders = [name for name in rows if str(name).startswith(SENDER)]
    voice = analysis.voices(rows["voice"], [rows[name] for name in senders])
    is_named = rows["voice"].notna()
    told = rows.drop(columns=senders)
    return told.assign(**times, **numbers, **flags, **whole, voice=voice, is_named=is_named)
