"""Parameters of a summary: one model for HTTP, its API definition, and the command line."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gis.errors import BadInput

MOST_GROUPS: Final = 100_000
COUNTED: Final = ("count", "per_1000", "per_km2")
MEASURED: Final = ("values", "sum", "mean", "median", "min", "max")
SIZES: Final = ("share", "length_km", "covered_km2")
STATISTICS: Final = (*COUNTED, *MEASURED, *SIZES)
RATE_COLUMNS: Final = ("people", "area_km2", "estimated", "matched", "unit_then_since")

Text = Annotated[str | None, Field(max_length=16_000)]


class SummaryParameters(BaseModel):
    """By what records are grouped, what is computed of each group, and which groups are shown."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    by: str = Field(
        "",
        max_length=200,
        description="Up to three of commune (of today), unit_then (of its day), old_ward, "
        "old_district (of before 1 July 2025), hex, road_km, year, quarter, month, week, day, "
        "weekday, hour, or a field, with a comma between; unset: all records together",
    )
    statistics: str = Field(
        "",
        max_length=200,
        description="Some of count, per_1000 (inhabitants), per_km2, values (records that have a "
        "measure), sum, mean, median, min, max; of lines and areas share, length_km, covered_km2; "
        "unset: count, and all of a measure",
    )
    measure: str | None = Field(
        None,
        max_length=200,
        description="A field of numbers; or two fields of times, such as received_at/answered_at: "
        "the hours between",
    )
    time: str | None = Field(
        None,
        max_length=100,
        description="The field that month, weekday, hour and so on are of; unset: when it happened",
    )
    resolution: int = Field(7, ge=5, le=10, description="H3 resolution of hexes")
    road: str | None = Field(
        None,
        max_length=200,
        description="Of road_km: the layer of roads and the road, such as roads/QL4D; kilometres "
        "are those of its `gazetteer.km`",
    )
    road_m: float = Field(
        200,
        alias="road-m",
        gt=0,
        le=5_000,
        description="Of road_km: records so many metres from the road",
    )
    empty: Literal["no", "yes", "only"] = Field(
        "no",
        description="Groups without a record: left out, shown with count 0, or shown alone",
    )
    having: Text = Field(
        None,
        description="CQL2 on the columns of the answer, such as count > 50: only groups like that",
    )
    sortby: str | None = Field(
        None, max_length=200, description="Columns of the answer, such as -count"
    )
    limit: int | None = Field(None, ge=1, le=MOST_GROUPS, description="At most so many groups")
    totals: bool = Field(
        False, description="Of several groupings: the summary by each of them alone, too"
    )
    datetime: Text = Field(
        None, description="An instant, a day (in Vietnam) or an interval such as 2026-03-01/.."
    )
    bbox: Text = Field(None, description="west,south,east,north")
    bbox_crs: Text = Field(None, alias="bbox-crs", description="The CRS of bbox; unset: CRS84")
    filter: Text = Field(None, description="CQL2, as on items")
    filter_lang: Text = Field(None, alias="filter-lang", description="cql2-text or cql2-json")
    filter_crs: Text = Field(None, alias="filter-crs", description="The CRS of filter")

    @property
    def groupings(self) -> tuple[str, ...]:
        """The names in `by`; raises BadInput for more than three, or one twice."""
        names = _words(self.by)
        if len(names) > 3 or len(set(names)) != len(names):
            raise BadInput(f"by={self.by!r} is wrong: name one to three groupings, each once")
        return names

    @property
    def columns(self) -> tuple[str, ...]:
        """The statistics, in order; raises BadInput for one that there is not."""
        names = _words(self.statistics)
        for name in names:
            if name not in STATISTICS:
                known = ", ".join(STATISTICS)
                raise BadInput(f"there is no statistic {name!r}: there are {known}")
        wrong = [name for name in names if name in MEASURED]
        if wrong and self.measure is None:
            raise BadInput(f"{wrong[0]} needs a measure: name a field of numbers, as measure=…")
        if names:
            return tuple(dict.fromkeys(names))
        return ("count", *(MEASURED if self.measure is not None else ()))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
