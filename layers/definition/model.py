"""The vocabulary of a layer file. A layer is a file; everything else is derived from it.

Absent section, absent feature. An unknown word is an error of layers.definition.catalogue.
"""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from gis.alerts.policy import Policy, Tier
from gis.connectors import CONNECTORS
from gis.connectors.connector import ConnectorOptions
from gis.errors import BadInput
from gis.intake.units import check_units, known_units

IDENTIFIER = r"^[a-z][a-z0-9_]{0,47}$"
NAME = r"^[^\s\d+(@/][^@/]{0,99}$"  # neither an address nor a telephone number
COLOUR = r"^#[0-9a-fA-F]{6}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
Colour = Annotated[str, Field(pattern=COLOUR)]
Zoom = Annotated[int, Field(ge=0, le=22)]
Resolution = Annotated[int, Field(ge=5, le=10)]
Columns = Annotated[tuple[str, ...], Field(min_length=1)]
Metres = Annotated[float, Field(gt=0)]

# The columns that every layer table has; a field may not take their names.
PLACING_COLUMNS = (
    "id", "geom", "h3", "commune", "unit_then", "place_method", "place_confidence",
    "place_precision_m", "default_point", "valid_at", "updated_at", "source", "source_key",
    "provenance",
)  # fmt: skip


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


EARLIEST = (
    "first day that is plausible; unset: 1950-01-01, but for days that programs write for no date, "
    "such as 1970-01-01"
)
MOST_AHEAD_DAYS = 36_525


class LocalizedText(Strict):
    """A text for people, Vietnamese first."""

    vi: str = Field(min_length=1, description="In Vietnamese")
    en: str = Field(min_length=1, description="In English")


class GeometryKind(StrEnum):
    POINT = "point"
    LINE = "line"
    POLYGON = "polygon"
    NONE = "none"


class FieldType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


class Audience(StrEnum):
    PUBLIC = "public"
    DEPARTMENT = "department"
    PRIVATE = "private"


class LayerField(Strict):
    """One attribute of a layer."""

    type: FieldType = Field(description="What its values are")
    label: LocalizedText = Field(description="Its name for people")
    description: LocalizedText | None = Field(None, description="What it means, in a sentence")
    column: str | None = Field(None, description="Column of the source; unset: the same name")
    unit: str | None = Field(None, description="UCUM unit, such as m, km2, MW, mm/h")
    values: dict[str, LocalizedText] | None = Field(
        None,
        min_length=1,
        description="The values that a text may take, each with its name for people",
    )
    required: bool = Field(False, description="A record without it goes to quarantine")
    personal: bool = Field(
        False, description="Kept in schema private; in no layer, tile, export or log"
    )
    free_text: bool = Field(
        False,
        description="Written by anybody: telephone numbers, e-mail addresses, identity numbers and "
        "number plates in it are hidden when it is loaded or edited, and kept in schema private",
    )
    format: str | None = Field(
        None, description="Of a date: strptime; of a number: decimal_comma or decimal_point"
    )
    earliest: date | None = Field(None, description=f"Of a date: {EARLIEST}")
    ahead_days: int | None = Field(
        None,
        ge=0,
        le=MOST_AHEAD_DAYS,
        description="Of a date: days from today on that are plausible; unset: 50 years, as terms "
        "of permits and leases have them (of the column of `source.time`: as there)",
    )


class Coordinates(Strict):
    """The columns that hold a point."""

    x: str = Field(description="Column of longitude or easting")
    y: str = Field(description="Column of latitude or northing")
    crs: str = Field("EPSG:4326", description="CRS of the columns")


class Occurrence(Strict):
    """Time at which the record happened."""

    column: str = Field(description="Column of the source")
    format: str | None = Field(None, description="strptime format; unset: it must be ISO 8601")
    zone: str = Field(
        "+07:00", pattern=r"^[+-]\d\d:\d\d$", description="Zone of times that name none"
    )
    earliest: date | None = Field(None, description=EARLIEST)
    ahead_days: int = Field(
        366,
        ge=0,
        le=MOST_AHEAD_DAYS,
        description="Days from today on that are plausible, such as those of plans",
    )


class SourcePrecision(Strict):
    """Precision of places, as the source gives it."""

    column: str = Field(description="Column of the source")
    metres: dict[str, Metres] = Field(description="Metres for each value of the column")
    otherwise_m: Metres | None = Field(None, description="Metres for any other value")


Quality = Literal["good", "suspect", "implausible"]


class MeasuredQuality(Strict):
    """The quality of a measurement, as its source flags it."""

    column: str = Field(description="Column of the source")
    values: dict[str, Quality] = Field(
        {}, description="What its words mean; others than these mean `suspect`, and none `good`"
    )


class MeasuredColumns(Strict):
    """The columns of a measurement that are no fields, of a layer with `series`."""

    quantity: str | None = Field(
        None,
        description="Column that names the quantity of a record, by the `column` of its field; "
        "unset: each quantity has a column of its own",
    )
    value: str | None = Field(None, description="Column of the value, beside `quantity`")
    quality: MeasuredQuality | None = Field(None, description="Quality flag of the source")
    joined_by: str | None = Field(
        None,
        min_length=1,
        description="What stands between several measurements of one record: the time and each "
        "value are then lists of the same length, such as those of the last hours",
    )

    @model_validator(mode="after")
    def _quantity_has_value(self) -> Self:
        if (self.quantity is None) != (self.value is None):
            raise ValueError("`quantity` and `value` go together: columns of the source")
        return self

    @property
    def names(self) -> set[str]:
        """The columns that are read."""
        quality = self.quality.column if self.quality else None
        return {name for name in (self.quantity, self.value, quality) if name is not None}


class FileSource(Strict):
    """Records from files that somebody loads."""

    connector: Literal["file"] = Field(description="Files that somebody loads")
    name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The system that the records come from; unset: each load says it, or the name "
        "of its file does",
    )
    key: str | Columns = Field(description="Column or columns that tell records apart")
    coordinates: Coordinates | None = Field(None, description="Columns of a point")
    address: str | None = Field(None, description="Column with an address in words")
    commune: str | None = Field(None, description="Column with a commune's code or name")
    district: str | None = Field(
        None,
        description="Column with a district's code or name, of before 1 July 2025: it narrows what "
        "the address and the commune may mean, and contradicts them elsewhere",
    )
    time: Occurrence | None = Field(None, description="When the record happened")
    precision: SourcePrecision | None = Field(None, description="How exactly the place is known")
    measured: MeasuredColumns | None = Field(
        None, description="How a record tells its measurement; unset: by its fields alone"
    )
    outside: Literal["report", "keep"] = Field(
        "report",
        description="What becomes of records outside the province: they wait in quarantine with "
        "the reason `outside`, or are kept in the layer",
    )


# Functions of gis.intake.transforms.
Transform = Literal[
    "dotnet_date", "epoch_ms", "epoch_s", "strip_html", "number_in_text", "local_time",
    "collapse_blanks",
]  # fmt: skip


class ItemOf(Strict):
    """One of several values that are joined in a text."""

    item: int = Field(description="Its place: 0 the first, -1 the last")
    separator: str = Field(",", min_length=1, description="What stands between them")


class UnitConversion(Strict):
    """The unit in which a source gives a number, and that of the field which reads it."""

    model_config = ConfigDict(serialize_by_alias=True)

    source: str = Field(
        alias="from", description=f"Unit of the source: one of {', '.join(known_units())}"
    )
    layer: str = Field(alias="to", description="Unit of the field, of the same kind")

    @model_validator(mode="after")
    def _same_kind(self) -> "UnitConversion":
        try:
            check_units(self.source, self.layer)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return self


class MappedColumn(Strict):
    """A column that is made of another one of the source, step by step in the order below."""

    model_config = ConfigDict(serialize_by_alias=True)

    of: str = Field(
        alias="from",
        description="Column of the source, or path within its records, such as `station.name` or "
        "`values.0`",
    )
    transform: tuple[Transform | ItemOf, ...] = Field(
        (),
        description="Named functions, one after the other: `dotnet_date` (`/Date(ms)/`), "
        "`epoch_ms`, `epoch_s`, `strip_html`, `number_in_text`, `local_time` (a local time that "
        "claims to be UTC), `collapse_blanks`, or `{item: 2}` of values joined by commas",
    )
    factor: float | None = Field(
        None,
        gt=0,
        description="Numbers are multiplied by it, such as 1000 where thousands are told",
    )
    unit: UnitConversion | None = Field(
        None,
        description="Numbers are converted, such as `{from: cm, to: m}`: written with a decimal "
        "point, or a comma that can be nothing else; another is a fault of its record",
    )
    values: dict[str, str] | None = Field(
        None, min_length=1, description="Other words for values of the source; others stay"
    )


class Promise(Strict):
    """How fresh the source promises to be; a missed promise is an alert to the steward."""

    fresh_by: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="Hour of each day by which the day's data are read; this or `fresh_within`",
    )
    fresh_within: str | None = Field(
        None, pattern=r"^[1-9]\d{0,4}(min|h|d)$", description="Greatest age, as `30min`, `1h`, `2d`"
    )
    by: Literal["reading", "record"] = Field(
        "reading",
        description="What must be fresh: `reading`: the last complete one, even if nothing was "
        "new; `record`: the time of the newest record, as of measurements",
    )

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.fresh_by is None) == (self.fresh_within is None):
            raise ValueError("a promise has either `fresh_by` or `fresh_within`")
        return self

    @property
    def greatest_age(self) -> timedelta | None:
        """`fresh_within`, None of a promise by the hour."""
        if self.fresh_within is None:
            return None
        return duration_of(self.fresh_within)


_MINUTE = timedelta(minutes=1)


def _cron(text: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        if len(text.split()) != 5:
            raise CronSimError("five fields are needed")
        next(CronSim(text, datetime(2026, 1, 1)))
    except (CronSimError, StopIteration) as error:
        raise ValueError(
            f"`{text}` is no schedule: write five fields as cron has them, such as "
            f"`*/10 * * * *` for every ten minutes ({error})"
        ) from error
    return text


class FeedSource(FileSource):
    """Records that the service fetches from another system by itself, through a connector."""

    # One of gis.connectors; a feed is read in all else as a file is.
    connector: str = Field(description="How the system is read")  # type: ignore[assignment]
    name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The system that the records come from; unset: the id of the layer",
    )
    read: ConnectorOptions = Field(description="What the connector is to read: words of its own")
    map: dict[str, MappedColumn] = Field(
        {},
        description="Columns made of those of the source; a field takes the one of its name. "
        "Columns of the source itself are named by their path",
    )
    schedule: Annotated[str, AfterValidator(_cron)] = Field(
        "*/10 * * * *", description="When it is read: cron, in the time of Vietnam"
    )
    promise: Promise | None = Field(None, description="How fresh it is to be; unset: no promise")
    deletions: Literal["keep", "mark", "mirror"] = Field(
        "keep",
        description="What becomes of records that the source has no more, after it was read "
        "whole, or says are gone: `keep`: they stay; `mark`: they stay and say since when, in "
        "`gone_at`; `mirror`: they go, more than 30 % of them only after a yes",
    )
    supersedes: Identifier | None = Field(
        None,
        description="Field with the key of the record that this one replaces, such as an earlier "
        "permit: the earlier one leaves the layer and stays in its history",
    )
    contract: dict[str, Literal["evolve", "freeze", "discard"]] = Field(
        {},
        description="By column, `*` for all others: `evolve`: a new, lost or retyped column is "
        "noted; `freeze`: it stops the source with a question; `discard`: its values are dropped. "
        "Unset: new columns evolve, lost or retyped ones of those declared freeze",
    )
    simulated: bool = Field(False, description="The system is a simulation; each record says so")


def _feed_kinds() -> tuple[type[FeedSource], ...]:
    """A kind of source for each connector, with its words under `read`."""
    kinds = []
    for name, kind in CONNECTORS.items():
        tag: Any = Literal[name]
        kinds.append(
            create_model(
                f"{kind.Options.__name__.removesuffix('Options')}Source",
                __base__=FeedSource,
                __doc__=f"{kind.label}: {FeedSource.__doc__}",
                connector=(tag, Field(description=kind.label)),
                read=(kind.Options, Field(description="What is read: words of the connector")),
            )
        )
    return tuple(kinds)


FEED_KINDS = _feed_kinds()


class ViewSource(Strict):
    """Rows that the service itself writes: the view `layer.<id>`."""

    connector: Literal["view"] = Field(description="A view that the service itself fills")
    time: Literal["valid_at", "valid_from_to"] | None = Field(
        None,
        description="`valid_at`: the view has this column, which says when the record happened; "
        "`valid_from_to`: it has the days from which and until which (not included) a row holds",
    )
    latest: bool = Field(
        False, description="Of `valid_from_to`: unless a time is asked for, rows that hold still"
    )

    @model_validator(mode="after")
    def _latest_has_days(self) -> Self:
        if self.latest and self.time != "valid_from_to":
            raise ValueError("`latest` needs `time: valid_from_to`, the days of which a row tells")
        return self


if TYPE_CHECKING:
    Source = FileSource | ViewSource
else:
    Source = Annotated[
        Union[(FileSource, ViewSource, *FEED_KINDS)],
        Field(discriminator="connector"),
    ]


class Access(Strict):
    """Who may read the layer and who may change its rows."""

    read: Audience = Field(
        Audience.PUBLIC,
        description="`public`: all; `department`: keys that name the layer, and operators; "
        "`private`: keys that name it alone; administrators always",
    )
    write: Literal["department", "operator", "admin", "nobody"] = Field(
        "department",
        description="`department`: keys that name the layer, operators and administrators",
    )


class TileOptions(Strict):
    """Vector tiles of the layer."""

    min_zoom: Zoom = Field(0, description="First zoom with tiles")
    max_zoom: Zoom = Field(14, description="Last zoom with tiles; clients enlarge them beyond")
    fields: dict[Zoom, tuple[Identifier, ...]] = Field(
        default_factory=dict, description="From this zoom on, these fields; unset: all of them"
    )
    simplify_px: float = Field(0.5, ge=0, le=8, description="Tolerance, in screen pixels")
    points_from_zoom: Zoom = Field(
        0, description="Below this zoom, points are drawn as counts of hexes"
    )


class HexOptions(Strict):
    """Counts of the layer's records by H3 hex."""

    resolutions: tuple[Resolution, ...] = Field(
        (5, 6, 7, 8, 9, 10),
        min_length=1,
        description="H3 resolutions that are served; lines and areas count down to the finest",
    )
    category: Identifier | None = Field(None, description="Field by which counts are kept apart")
    measure: Identifier | None = Field(None, description="Number field whose mean is given")
    min_count: int | None = Field(
        None, ge=1, description="k: a public hex with fewer is not shown; unset: the setting"
    )
    read: Audience | None = Field(
        None, description="Who may see the counts; unset: who may read the layer"
    )
    filter_resolution: Resolution | None = Field(
        None,
        description="The one resolution at which the public may ask for a category or for months, "
        "where k is above 1, and sees lines and areas at all; unset: the coarsest",
    )

    @model_validator(mode="after")
    def _filter_resolution_is_served(self) -> Self:
        if self.filter_resolution is not None and self.filter_resolution not in self.resolutions:
            raise ValueError("`filter_resolution` is one of `resolutions`")
        return self


class RoadOptions(Strict):
    """Stretches of roads that a scan judges beside its circles."""

    layer: Identifier = Field(
        "roads", description="Layer of lines with a `gazetteer`, which names them and may say `km`"
    )
    within_m: float = Field(60, gt=0, le=1000, description="Furthest from a road, in metres")
    segment_m: float = Field(500, ge=100, le=10_000, description="Metres that are told apart")
    max_km: float = Field(6, gt=0, le=100, description="Longest stretch")


class ScanOptions(Strict):
    """The alarm: where the newest days have too many, given the usual of each place and day."""

    resolution: Resolution = Field(8, description="H3 resolution of the centres of circles")
    window_days: int = Field(90, ge=28, le=366, description="Days from which the usual is known")
    max_days: int = Field(14, ge=1, le=60, description="Longest time of a cluster, in days")
    max_radius_km: float = Field(10, gt=0, le=50, description="Largest radius of a cluster")
    min_cases: int = Field(3, ge=2, description="Least number of cases of a cluster")
    strata: Literal["auto", "weekday", "none"] = Field(
        "auto",
        description="Whether days are permuted within weekdays; `auto`: when the communes differ "
        "in their weekdays (χ², p < 0.01)",
    )
    single_resolution: Resolution | None = Field(
        None,
        description="H3 resolution of single hexes that are judged beside the circles, such as one "
        "crossing or school; unset: the finest of the layer's `hexes`; null: none",
    )
    roads: RoadOptions | None = Field(
        RoadOptions(),
        description="Stretches of roads that are judged beside the circles, where such a layer is "
        "loaded and public; null: none",
    )
    clusters: int = Field(5, ge=1, le=20, description="Most clusters of a stream, none overlapping")
    replicates: int = Field(999, ge=99, le=9999, description="Random orders that give p")
    seed: int = Field(0, ge=0, description="Of the random orders")


class JointOptions(Strict):
    """The alarm of all streams together, of other layers too: a little of each in one valley."""

    layers: tuple[Identifier, ...] = Field(
        (), max_length=10, description="Public layers that are judged with this one"
    )
    least_streams: int = Field(
        2, ge=2, le=20, description="Least number of streams that must have more than usual there"
    )
    resolution: Resolution = Field(8, description="H3 resolution of the centres of circles")
    window_days: int = Field(90, ge=28, le=366, description="Days from which the usual is known")
    max_days: int = Field(7, ge=1, le=60, description="Longest time of a cluster, in days")
    max_radius_km: float = Field(10, gt=0, le=50, description="Largest radius of a cluster")
    min_cases: int = Field(5, ge=2, description="Least number of cases of a cluster")
    replicates: int = Field(499, ge=99, le=9999, description="Random orders that give p")
    seed: int = Field(0, ge=0, description="Of the random orders")


class EmergingOptions(Strict):
    """How each hex became what it is: new, consecutive, persistent, … over steps of time."""

    resolution: Resolution = Field(8, description="H3 resolution of the hexes")
    step_days: int = Field(7, ge=1, le=31, description="Days of a step")
    steps: int = Field(52, ge=8, le=120, description="How many steps are read")
    disk: int = Field(1, ge=1, le=5, description="Rings of neighbours")


class LocalMoranOptions(Strict):
    """Hexes like or unlike those around them: a quiet one among busy ones, and the reverse."""

    resolution: Resolution = Field(
        7, description="H3 resolution of the hexes; where most are empty, none can have too few"
    )
    window_days: int = Field(90, ge=1, le=3660, description="Days that are read")
    disk: int = Field(1, ge=1, le=5, description="Rings of neighbours")
    alpha: float = Field(0.05, gt=0, lt=1, description="False discovery rate")
    seed: int = Field(0, ge=0, description="Of the random orders that give p")


class SeriesDetector(Strict):
    """Options of every detector of series."""

    min_count: int = Field(
        3, ge=1, description="Least number of records that is a finding, however rare"
    )


class EarsOptions(SeriesDetector):
    """EARS: the newest day against the days before it. For months of data."""

    detector: Literal["ears"] = Field(description="Days against those before")
    variant: Literal["C1", "C2", "C3"] = Field(
        "C2",
        description="`C1`: the days just before; `C2`: with a gap of two days, so that a rise does "
        "not hide itself; `C3`: as C2, with what the two days before had too many",
    )
    baseline_days: int = Field(
        28, ge=7, le=366, description="Days from which the usual is known: whole weeks are fairest"
    )


class FarringtonOptions(SeriesDetector):
    """Farrington: the newest seven days against years before."""

    detector: Literal["farrington"] = Field(description="A week against those of past years")
    years: int = Field(4, ge=2, le=10, description="How many years are compared; all are needed")
    flexible: bool = Field(
        True,
        description="Farrington flexible: compared with all weeks of those years but the last 26, "
        "by a season of ten levels and, from three years on, with a trend; false: as in 1996, with "
        "the weeks within three of the same one of each year, which alarms too often where counts "
        "spread more than Poisson's",
    )


class CusumOptions(SeriesDetector):
    """CUSUM of negative-binomial log likelihood ratios: small rises that last."""

    detector: Literal["nb_cusum"] = Field(description="A rise that lasts for days")
    baseline_days: int = Field(
        28, ge=7, le=366, description="Days from which the usual is known, before those added up"
    )
    max_days: int = Field(14, ge=2, le=60, description="Days that are added up at most")
    ratio: float = Field(2, gt=1, le=10, description="The rise looked for, as a multiple of usual")


def _day_or_days(text: str) -> str:
    first, _, last = text.partition("/")
    try:
        begin, end = (date.fromisoformat(day) for day in (first, last or first))
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no day: write 2026-03-08, or 2026-06-01/2026-08-31"
        ) from error
    if not timedelta(0) <= end - begin <= timedelta(days=_LONGEST_LOCAL):
        raise ValueError(f"{text!r} must begin before it ends, within {_LONGEST_LOCAL} days")
    return text


_LONGEST_LOCAL = 366
LocalDays = Annotated[str, AfterValidator(_day_or_days)]


class RegressionOptions(SeriesDetector):
    """Regression: the day against what its weekday, its holiday and its hours usually have."""

    detector: Literal["regression"] = Field(
        description="A day against those before, by weekday, holiday and hour"
    )
    baseline_days: int = Field(
        168,
        ge=56,
        le=731,
        description="Days from which weekdays are known; level and trend are those of the last 56",
    )
    years: int = Field(
        2,
        ge=0,
        le=10,
        description="Years from which the effect of a public holiday is known, on it and around it",
    )
    local_days: dict[Identifier, tuple[LocalDays, ...]] = Field(
        {},
        max_length=20,
        description="Days of the place that change how much is reported, by what they are, such as "
        "markets; a day, or the first and the last with `/` between; weekdays need not be "
        "named, nor public holidays",
        examples=[{"market": ["2026-03-08", "2026-03-14"], "school": ["2025-09-05/2026-05-31"]}],
    )


SeriesOptions = Annotated[
    RegressionOptions | EarsOptions | FarringtonOptions | CusumOptions,
    Field(discriminator="detector"),
]


POPULATION = "population"  # as an exposure: inhabitants, and no layer


def method_sections() -> "dict[str, type[Strict]]":
    """Sections under `hotspots` of detection methods that have no field in `HotspotOptions`."""
    from layers.detect.methods import METHODS  # late: methods read this module

    return {
        method.section: method.options
        for method in METHODS.values()
        if method.section and method.section not in HotspotOptions.model_fields
    }


def _section(named: tuple[str, object]) -> Strict | None:
    """The options of a method, from its section and what stands there."""
    word, value = named
    options = method_sections().get(word)
    if options is None:
        raise PydanticKnownError("extra_forbidden")
    return None if value is None else options.model_validate(value)


class HotspotOptions(Strict):
    """Where records are significantly many: a map, its history by hex, and alarms."""

    # Sections of other methods are attributes too; `_section` refuses any other word.
    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})
    __pydantic_extra__: dict[str, Annotated[Any, PlainValidator(_section)]]

    method: Literal["gi_star"] = Field(
        "gi_star", description="Of the map: Getis and Ord's Gi*, exact p"
    )
    resolution: Resolution = Field(8, description="Of the map: H3 resolution of the hexes")
    window_days: int = Field(30, ge=1, le=3660, description="Of the map: days that are read")
    disk: int = Field(1, ge=1, le=5, description="Of the map: rings of neighbours")
    alpha: float = Field(0.05, gt=0, lt=1, description="Of the map: false discovery rate")
    measure: Identifier | None = Field(
        None,
        description="Of the map and of `local_moran`: field of whole numbers that is added up; "
        "unset: records count",
    )
    exposure: Identifier | None = Field(
        None,
        description="Of the map and of `local_moran`: layer of points that it happens to, such as "
        "households, or `population`, the inhabitants; as many are expected as their share; unset: "
        "as many everywhere",
    )
    exposure_field: Identifier | None = Field(
        None,
        description="Number field of that layer that is added up, such as visitors or vehicles a "
        "day; unset: its points count",
    )
    category: Identifier | None = Field(
        None,
        description="Field that tells the streams of the alarm apart, and repeats of an incident; "
        "unset: one stream",
    )
    received: Identifier | None = Field(
        None,
        description="Field with the time when a record was received, which is the time of alarms; "
        "unset: when it happened",
    )
    reporter: Identifier | None = Field(
        None,
        description="Field that tells reporters apart, such as a telephone number, which may be "
        "personal: in the alarms one reporter is one voice in a category for 14 days; unset: each "
        "record is a voice",
    )
    senders: tuple[Identifier, ...] = Field(
        (),
        max_length=5,
        description="Fields that tell apart what records were sent with, such as a device, a form "
        "or an account; they may be personal. Records that name no reporter are one voice where "
        "they share any of them",
    )
    late_hours: float = Field(
        6,
        gt=0,
        le=8784,
        description="Hours from when it happened to its receipt from which a record is late, so "
        "that it raises no alarm; a date without an hour counts from its end",
    )
    scan: ScanOptions | None = Field(ScanOptions(), description="The alarm; null: none")
    series: SeriesOptions | None = Field(
        None,
        description="A second alarm: a detector for each stream and commune, and for each stream "
        "in the whole province, which sees a rise everywhere; unset: none",
    )
    joint: JointOptions | None = Field(
        None,
        description="A further alarm: one situation of several streams, also of other layers, "
        "where none of them need be an alarm by itself; unset: none",
    )
    emerging: EmergingOptions | None = Field(
        EmergingOptions(), description="Emerging hot spots; null: none"
    )
    local_moran: LocalMoranOptions | None = Field(
        None, description="A map of hexes like or unlike those around them; unset: none"
    )

    @field_validator("method", mode="before")
    @classmethod
    def _of_the_map(cls, method: object) -> object:
        if method == "gi_star":
            return method
        from layers.detect.methods import METHODS  # late: methods read this module

        sections = {each.section for each in METHODS.values() if each.section}
        section = METHODS[method].section if method in METHODS else method
        if section in sections:
            raise ValueError(
                f"`method` is of the map, which has gi_star alone; `{section}` is a section of its "
                f"own: `hotspots: {{{section}: …}}`"
            )
        return method

    @model_validator(mode="before")
    @classmethod
    def _name_sections(cls, values: object) -> object:
        """Values of words that are no field, each with its word, for `_section`."""
        if not isinstance(values, dict):
            return values
        return {
            word: value if word in cls.model_fields else (word, value)
            for word, value in values.items()
        }


class AlertRule(Strict):
    """Options of every rule."""

    id: Identifier = Field(description="Its name, unlike that of any other rule of the layer")
    title: LocalizedText = Field(description="What its alerts are called")
    tier: Tier = Field(Tier.ALERT, description="How grave its alerts are")
    clear_minutes: int = Field(
        15, ge=0, description="How long the evidence must be gone until the alert closes"
    )


class SensorRule(AlertRule):
    """A sensor beyond a value for a time, in every reading of that time."""

    kind: Literal["sensor"] = Field(description="A sensor beyond a value for a time")
    field: Identifier = Field(description="Field with the value, a number")
    of: Identifier = Field(description="Field that names the sensor")
    above: float | None = Field(None, description="The value that is exceeded; this or `below`")
    below: float | None = Field(None, description="The value that is fallen short of")
    minutes: int = Field(0, ge=0, description="How long; 0: at the first reading")
    stale_minutes: int = Field(
        180, ge=1, description="A reading older than this says nothing of today"
    )

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a sensor's rule has either `above` or `below`")
        return self


class RainRule(AlertRule):
    """Rain over a hex: the greatest sum of any of its gauges, in the last hours."""

    kind: Literal["rain"] = Field(description="Rain over a hex")
    field: Identifier = Field(description="Field with the rain of a reading, in mm")
    of: Identifier = Field(description="Field that names the gauge")
    above: float = Field(gt=0, description="Millimetres that are exceeded")
    hours: float = Field(gt=0, le=720, description="In how many hours")
    resolution: Resolution = Field(7, description="H3 resolution of the hexes")


class CountRule(AlertRule):
    """So many records in one hex, one commune or the province, in the last hours."""

    kind: Literal["count"] = Field(description="Records in a place")
    at_least: int = Field(ge=1, description="The number of records that raises it")
    hours: float = Field(gt=0, le=8784, description="In how many hours")
    per: Literal["hex", "commune", "province"] = Field("commune", description="Counted in each")
    resolution: Resolution = Field(8, description="H3 resolution of the hexes")
    where: dict[Identifier, str | int | bool] = Field(
        default_factory=dict, description="Only records whose fields have these values"
    )
    voices: bool = Field(
        False,
        description="Counts reporters (`hotspots: {reporter: …}`), each once; a record that names "
        "nobody by the first of the `senders` that it has, else by itself. Unset: counts records",
    )


class QuietRule(AlertRule):
    """A source from which nothing new came: of the layer, or of each of its sensors."""

    kind: Literal["quiet"] = Field(description="A source gone quiet")
    hours: float = Field(gt=0, le=8784, description="Hours without a record")
    of: Identifier | None = Field(
        None, description="Field that names the sensor; unset: the layer as a whole"
    )


class IndicatorRule(AlertRule):
    """An indicator whose newest value misses its target."""

    kind: Literal["indicator"] = Field(description="An indicator off its target")
    field: Identifier = Field(description="Field with the value, a number")
    of: Identifier | None = Field(None, description="Field that names the indicator; unset: one")
    at_least: float | None = Field(None, description="The target; this or `at_most`")
    at_most: float | None = Field(None, description="The target")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("an indicator's rule has either `at_least` or `at_most`")
        return self


class RiskRule(AlertRule):
    """Communes with hexes where the law's level of landslides by rain meets what is named.

    A hex counts where one of `people`, `roads` and `records` is met; at every hex of the level
    where none of them is named. A level that is unknown raises nothing.
    """

    kind: Literal["risk"] = Field(description="Risk of landslides and flash floods by rain")
    rain: Identifier = Field("rain_daily", description="Raster layer of rain, mm, in steps")
    susceptibility: Identifier = Field(
        "landslide_susceptibility", description="Raster layer of susceptibility, 1 low to 4"
    )
    from_level: int = Field(
        1, ge=1, le=5, description="Least level of Decision 18/2021/QĐ-TTg, Article 46"
    )
    urgent_from: int | None = Field(
        3, ge=1, le=5, description="Level from which it is urgent, whatever `tier`; null: none"
    )
    people: float | None = Field(
        None, gt=0, description="So many inhabitants in a hex, of the population that is loaded"
    )
    roads: Identifier | None = Field(
        None, description="Layer of lines: a hex that one runs through"
    )
    records: int | None = Field(
        None,
        ge=1,
        description="So many records of this layer in a hex, since the day of rain began",
    )
    resolution: int = Field(7, ge=5, le=9, description="H3 resolution of the hexes")
    stale_hours: float = Field(
        36, gt=0, le=720, description="Rain that ended longer ago says nothing of today"
    )


class LevelRule(AlertRule):
    """A station of a layer with `series` whose quantity reached one of its thresholds."""

    kind: Literal["level"] = Field(description="A threshold of `series` that is reached")
    field: Identifier = Field(description="The quantity, which has `thresholds`")
    of: Identifier | None = Field(None, description="Field that names the station; unset: its key")
    tiers: tuple[Tier, ...] = Field(
        (),
        description="How grave each level is, the first of level 1; unset: all are as grave as "
        "`tier` says",
    )
    stale_minutes: int = Field(
        180, ge=1, description="A measurement older than this says nothing of today"
    )

    def tier_of(self, level: int) -> Tier:
        """How grave a level is, counted from 1."""
        return self.tiers[min(level, len(self.tiers)) - 1] if self.tiers else self.tier


# Of the rows of its layer alone.
RowRule = SensorRule | RainRule | CountRule | QuietRule | IndicatorRule | LevelRule
ThresholdRule = Annotated[RowRule | RiskRule, Field(discriminator="kind")]
Minutes = Annotated[int, Field(ge=0)]


CapCategory = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra",
    "CBRNE", "Other",
]  # fmt: skip


class Recipient(Strict):
    """A recipient of the layer's alerts, by name: a file is read by all."""

    who: str = Field(
        pattern=NAME,
        description="Name of a subscription, never an address; `on-duty`: whoever is on duty",
    )
    from_tier: Tier = Field(Tier.ALERT, description="And what is graver")
    when: Literal["escalated"] | None = Field(
        None,
        description="`escalated`: only when nobody took it on in time; unset: from the beginning",
    )


class AlertOptions(Strict):
    """What raises alerts, how often they may be wrong, and how they live."""

    false_alerts_a_year: float = Field(
        4, gt=0, le=365, description="The budget of false alerts a year, of all streams together"
    )
    watch_days: float = Field(
        30, ge=1, description="Watched is what chance brings more rarely than once in so many days"
    )
    urgent_factor: float = Field(
        10, ge=1, description="Urgent is what is so many times rarer than the budget asks"
    )
    urgent_min_count: int = Field(5, ge=1, description="Least number of records that is urgent")
    urgent_min_ratio: float = Field(
        2, ge=1, description="Least number of records to that expected that is urgent"
    )
    held_back: Tier = Field(
        Tier.WATCH, description="How grave it is that late records are kept from the alarms"
    )
    undated: Tier = Field(
        Tier.ALERT,
        description="How grave it is that records without a time of their own are kept from the "
        "alarms",
    )
    situation: float | None = Field(
        3,
        ge=2,
        description="How many times the usual many communes at once, or many subjects in one, must "
        "have for a situation, which is urgent; null: none",
    )
    same_jaccard: float = Field(
        0.3, gt=0, le=1, description="Share of common hexes from which it is the same alert"
    )
    same_gap_days: float = Field(
        3, ge=0, description="Days without evidence after which it is another alert"
    )
    close_share: float = Field(
        1 / 3, ge=0, le=1, description="Weak is evidence below this share of its threshold"
    )
    close_days: int = Field(3, ge=1, description="Days of weak evidence, in a row, that close it")
    quiet_days: int = Field(14, ge=1, description="Days without an evaluation that found it")
    notify_llr: float = Field(
        2, ge=0, description="Rise of the log likelihood ratio that is notified again"
    )
    inhibit: bool = Field(
        True,
        description="Whether a commune is not notified within a cluster of its stream, as grave, "
        "that rests on most of its records",
    )
    escalate_urgent_minutes: Minutes | None = Field(
        15, description="An urgent one that nobody acknowledged escalates; null: never"
    )
    escalate_alert_minutes: Minutes | None = Field(240, description="The same of an alert")
    cap_categories: tuple[CapCategory, ...] = Field(
        ("Other",), min_length=1, description="Categories of the layer's alerts in CAP documents"
    )
    rules: tuple[ThresholdRule, ...] = Field((), description="Thresholds that raise alerts too")
    recipients: tuple[Recipient, ...] = Field((), description="Who is notified, and when")

    def policy(self, streams: int = 1) -> Policy:
        """How alerts of the layer's detectors live; so many `streams` share the budget."""
        return Policy(
            streams=streams,
            false_alerts_a_year=self.false_alerts_a_year,
            watch_days=self.watch_days,
            urgent_factor=self.urgent_factor,
            urgent_min_count=self.urgent_min_count,
            urgent_min_ratio=self.urgent_min_ratio,
            same_jaccard=self.same_jaccard,
            same_gap=timedelta(days=self.same_gap_days),
            close_share=self.close_share,
            close_days=self.close_days,
            quiet=timedelta(days=self.quiet_days),
            notify_llr=self.notify_llr,
            inhibit=self.inhibit,
            escalate_urgent=_minutes(self.escalate_urgent_minutes),
            escalate_alert=_minutes(self.escalate_alert_minutes),
        )

    def threshold_policy(self, rule: AlertRule) -> Policy:
        """How alerts of a rule live: known by key, closed when the evidence is gone."""
        hold = rule.minutes if isinstance(rule, SensorRule) else 0
        return replace(
            self.policy(),
            hold=timedelta(minutes=hold),
            same_gap=timedelta(0),
            close_days=None,
            quiet=timedelta(minutes=rule.clear_minutes),
        )


def _minutes(given: int | None) -> timedelta | None:
    return None if given is None else timedelta(minutes=given)


class StyleClass(Strict):
    """One class of a classification: a value, or the values from `at_least` on."""

    label: LocalizedText = Field(description="Its line in the legend")
    colour: Colour = Field(description='Six hexadecimal digits in quotes, such as "#1f6f8b"')
    value: str | bool | int | None = Field(None, description="The value of the field")
    at_least: float | None = Field(None, description="The least value of the field, a number")
    size_px: float | None = Field(
        None, gt=0, le=64, description="Radius of a point, width of a line; unset: the layer's"
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.value is None) == (self.at_least is None):
            raise ValueError("a class has either `value` or `at_least`")
        return self


class Style(Strict):
    """One classification, from which the map, the legend and QGIS are derived."""

    field: Identifier | None = Field(None, description="Field to classify by; unset: one colour")
    classes: tuple[StyleClass, ...] = Field(
        (), description="All by `value`, or all by `at_least` with the lowest bound first"
    )
    colour: Colour = Field("#1f6f8b", description="Of features in no class")
    label: LocalizedText = Field(
        LocalizedText(vi="Khác", en="Other"),
        description="Line in the legend of features in no class",
    )
    size_px: float = Field(5, gt=0, le=64, description="Radius of a point, width of a line")
    opacity: float = Field(0.8, ge=0, le=1, description="Of points, lines and fills")
    outline: Colour | None = Field(None, description="Of points and polygons")
    text: Identifier | None = Field(None, description="Field written beside the feature")

    @model_validator(mode="after")
    def _classes_need_a_field(self) -> Self:
        if self.classes and self.field is None:
            raise ValueError("`classes` need `field`, the field that they classify")
        return self


class GazetteerOptions(Strict):
    """Places of the layer that addresses name: villages, markets, schools, streets, roads.

    A point stands for itself, a line for its part in each commune; of a line, kilometres are told
    too: `QL4D Km 102+300`.
    """

    name: Identifier = Field(description="Field with the name of the place, or of the road")
    aliases: Identifier | tuple[Identifier, ...] = Field(
        (), description="Field or fields with other names, several parted by `;` or `|`"
    )
    kind: str = Field(
        min_length=1,
        description="Field with the kind of place, or one kind for all, such as village, school, "
        "health_post, market, bridge, street or road",
    )
    precision_m: Metres | Identifier | None = Field(
        None,
        description="Metres, or a field with them; unset: 500 m of a village, the length within "
        "the commune of a line, 100 m of others",
    )
    km: Identifier | None = Field(
        None,
        description="Number field: of points, the kilometre written on a post of the road `name`; "
        "of lines, the kilometre at their start, which else is 0",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The fields with names: `name` first."""
        aliases = (self.aliases,) if isinstance(self.aliases, str) else self.aliases
        return (self.name, *aliases)


# The words of the authority table of the EU, which catalogues exchange.
UpdateFrequency = Literal[
    "continuous", "hourly", "daily", "weekly", "monthly", "quarterly", "annual", "irregular",
    "never",
]  # fmt: skip


Duration = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}(min|h|d)$")]


def duration_of(text: str) -> timedelta:
    """The length of a time written as `10min`, `1h` or `2d`."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"min": _MINUTE, "h": 60 * _MINUTE, "d": 1440 * _MINUTE}[unit]


class PlausibleRange(Strict):
    """The values that a quantity can have; others are kept, flagged `implausible`."""

    at_least: float | None = Field(None, description="The least one")
    at_most: float | None = Field(None, description="The greatest one")


class SeriesThreshold(Strict):
    """One level of alarm of a quantity, such as BĐ1."""

    title: LocalizedText = Field(description="Its name for people")
    at: float | Identifier = Field(
        description="The value from which it is reached, or the number field of the station that "
        "holds it"
    )


class SeriesTrend(Strict):
    """Whether a quantity rises or falls: its newest value beside the earliest of the last hours."""

    hours: float = Field(3, ge=0.1, le=72, description="How many hours")
    steady: float = Field(0, ge=0, description="A change up to this is none, in the field's unit")


class SeriesQuantity(Strict):
    """One quantity that stations measure; its field is a number."""

    every: Duration = Field(
        description="How often it is measured, such as `10min` or `1h`: what is missing follows"
    )
    aggregate: Literal["mean", "sum", "max", "min"] = Field(
        "mean", description="What hours and days give of it: `sum` of rain, `mean` of a level"
    )
    stamp: Literal["start", "end"] | None = Field(
        None,
        description="Where the time of a measurement lies in the interval that it is of: rain of "
        "18:00–19:00 that bears 19:00 has `end`, and is of the day that ends then; unset: `end` "
        "of a sum, `start` of others",
    )
    plausible: PlausibleRange | None = Field(None, description="Its possible values; unset: any")
    thresholds: tuple[SeriesThreshold, ...] = Field(
        (), max_length=9, description="Levels of alarm, the lowest first; level 1 is the first"
    )
    hysteresis: float = Field(
        0, ge=0, description="How far below its threshold a level ends, in the field's unit"
    )
    trend: SeriesTrend | None = Field(None, description="Says if it rises; unset: it does not")

    @property
    def stamps_end(self) -> bool:
        """True where a measurement is of the time before its own."""
        return (self.stamp or ("end" if self.aggregate == "sum" else "start")) == "end"


class MeasurementSeries(Strict):
    """A layer of measurements: each record is a measurement of a station, each row a station.

    `source.key` tells stations apart and `source.time` is the time of a measurement. The row of a
    station shows the newest value of each quantity; all are kept beside it.
    """

    quantities: dict[Identifier, SeriesQuantity] = Field(
        min_length=1, max_length=20, description="The fields that are measured"
    )
    remarks: tuple[Identifier, ...] = Field(
        (),
        description="Fields that go with the newest measurement and are no quantities, such as a "
        "tendency in words: they change without a history of the row",
    )
    day_starts: str = Field(
        "00:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="Hour at which a day of its daily values begins, in the time of Vietnam: "
        '"19:00" of rain. A day has the date on which most of it lies',
    )
    new_stations: bool = Field(
        True,
        description="Whether a measurement of a station that the layer does not have adds it; "
        "false: it waits in quarantine, and stations are added by records without a value",
    )
    keep_months: int | None = Field(
        None,
        ge=1,
        le=1200,
        description="Whole months that are kept beside the present one; older measurements are "
        "dropped. Unset: all are kept",
    )

    def derived_fields(self, fields: dict[str, LayerField]) -> dict[str, LayerField]:
        """The fields that the service itself fills in the row of a station, by name."""
        derived: dict[str, LayerField] = {}
        for name, quantity in self.quantities.items():
            label = fields[name].label if name in fields else LocalizedText(vi=name, en=name)
            derived[f"{name}_quality"] = _derived(label, "chất lượng", "quality", QUALITIES)
            if len(self.quantities) > 1:
                derived[f"{name}_at"] = _derived(
                    label, "thời điểm đo", "time measured", kind=FieldType.DATETIME
                )
            if quantity.thresholds:
                derived[f"{name}_alarm"] = _derived(
                    label, "cấp báo động", "alarm level", kind=FieldType.INTEGER
                )
            if quantity.trend is not None:
                derived[f"{name}_trend"] = _derived(label, "xu thế", "trend", TRENDS)
        return derived


def _derived(
    label: LocalizedText,
    vi: str,
    en: str,
    values: dict[str, LocalizedText] | None = None,
    kind: FieldType = FieldType.TEXT,
) -> LayerField:
    words = LocalizedText(vi=f"{label.vi}: {vi}", en=f"{label.en}: {en}")
    return LayerField.model_validate({"type": kind, "label": words, "values": values})


QUALITIES = {
    "good": LocalizedText(vi="tốt", en="good"),
    "suspect": LocalizedText(vi="nghi ngờ", en="suspect"),
    "implausible": LocalizedText(vi="vô lý", en="implausible"),
}
TRENDS = {
    "rising": LocalizedText(vi="lên", en="rising"),
    "steady": LocalizedText(vi="ổn định", en="steady"),
    "falling": LocalizedText(vi="xuống", en="falling"),
}


class Layer(Strict):
    """All that a layer file says."""

    id: Identifier = Field(description="The name of the file and of the layer in every URL")
    title: LocalizedText = Field(description="Its name for people")
    description: LocalizedText = Field(description="What it holds, in a sentence")
    department: LocalizedText = Field(description="The steward: who answers for the data")
    licence: str = Field(description="SPDX identifier or the licence in words")
    attribution: str | None = Field(None, description="Written on maps that show the layer")
    classification: Literal["open", "internal", "restricted"] = Field(
        "open", description="Class of secrecy of the data as a whole"
    )
    largest_export_km2: float | None = Field(
        None,
        gt=0,
        description="Area over which its rows may be taken at once, by others than administrators: "
        "pages and files are asked for by a box, and there is no archive; unset: any",
    )
    keywords: tuple[str, ...] = Field((), description="Words by which the catalogue finds it")
    frequency: UpdateFrequency | None = Field(None, description="How often its source renews it")
    geometry: GeometryKind = Field(description="What is stored of a place")
    placed: bool = Field(True, description="False: a reference layer, without a place in units")
    source: Source = Field(description="Where the records come from")
    fields: dict[Identifier, LayerField] = Field(description="The attributes, by name")
    access: Access = Field(Access(), description="Who may read and write")
    tiles: TileOptions | None = Field(None, description="Vector tiles; absent: none")
    hexes: HexOptions | None = Field(None, description="Counts by hex; absent: none")
    hotspots: HotspotOptions | None = Field(None, description="Hotspots; absent: none")
    alerts: AlertOptions | None = Field(None, description="Alerts; absent: none")
    gazetteer: GazetteerOptions | None = Field(
        None, description="Names by which addresses find its records; absent: none"
    )
    series: MeasurementSeries | None = Field(
        None, description="Measurements of stations, which are its rows; absent: it has none"
    )
    style: Style = Field(Style(), description="How map, legend and QGIS show it")

    @model_validator(mode="after")
    def _single_hexes_are_the_finest(self) -> Self:
        scan = self.hotspots.scan if self.hotspots else None
        if (
            self.hotspots is None
            or scan is None
            or self.hexes is None
            or "single_resolution" in scan.model_fields_set
        ):
            return self
        finer = scan.model_copy(update={"single_resolution": max(self.hexes.resolutions)})
        hotspots = self.hotspots.model_copy(update={"scan": finer})
        object.__setattr__(self, "hotspots", hotspots)  # frozen, and not yet anybody's
        return self

    @model_validator(mode="after")
    def _has_derived_fields(self) -> Self:
        derived = {} if self.series is None else self.series.derived_fields(self.fields)
        taken = sorted(n for n, field in derived.items() if self.fields.get(n, field) != field)
        if taken:
            raise ValueError(f"field names taken by `series`, which fills them: {taken}")
        self.fields.update(derived)
        return self

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        taken = set() if self.is_view else set(PLACING_COLUMNS) & set(self.fields)
        if taken:
            raise ValueError(f"field names taken by columns of every layer: {sorted(taken)}")
        return self

    @property
    def is_view(self) -> bool:
        return isinstance(self.source, ViewSource)

    @property
    def source_name(self) -> str | None:
        """The system under which records are kept; None: each load says it. A feed has one."""
        if isinstance(self.source, FeedSource):
            return self.source.name or self.id
        return self.source.name if isinstance(self.source, FileSource) else None

    @property
    def public_fields(self) -> dict[str, LayerField]:
        """The fields that are in the table and may be served: those that are not personal."""
        return {name: field for name, field in self.fields.items() if not field.personal}

    @property
    def measured_fields(self) -> frozenset[str]:
        """The fields that measurements alone fill, derived ones too; none of an ordinary layer."""
        if self.series is None:
            return frozenset()
        return frozenset(self.series.quantities) | frozenset(
            self.series.derived_fields(self.fields)
        )

    @property
    def record_fields(self) -> dict[str, LayerField]:
        """The fields that a record of the source may have."""
        if self.series is None:
            return self.fields
        derived = self.series.derived_fields(self.fields)
        return {name: field for name, field in self.fields.items() if name not in derived}
