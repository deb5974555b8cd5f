"""gis risk: levels of landslides and flash floods by rain, as the law has them."""

from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_facts, print_rows, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from gis.rasters.raster import RasterSpec
    from gis.risk.assessment import RiskAssessor

app = typer.Typer(help="Risk of landslides and flash floods by rain.", no_args_is_help=True)

Rain = Annotated[str, typer.Option(help="Raster layer with the rain")]
Place = Annotated[str, typer.Option(help="Raster layer with the susceptibility, 1 low to 4")]
Resolution = Annotated[int, typer.Option(min=5, max=9, help="H3 resolution of the hexes")]
Table = Annotated[
    Path | None, typer.Option(help="TOML file of the levels; unset: Decision 18/2021/QĐ-TTg")
]


@app.command(epilog="Example: gis risk show --day 2024-09-10")
def show(
    day: Annotated[str, typer.Option(help="Date of the day of rain, as 2024-09-10")],
    rain: Rain = "rain_daily",
    susceptibility: Place = "landslide_susceptibility",
    resolution: Resolution = 7,
    table: Table = None,
    as_json: AsJson = False,
) -> None:
    """Show how many hexes have which level, and how many people live there; nothing is alerted.

    A hex whose case is in no row of the table is unknown, which is not without risk.
    """
    from gis.population.store import people_of

    with _assessing(rain, susceptibility, resolution, table) as (assessor, spec, connection):
        assessed = assessor.assess(_end_of(spec, day))
        people = people_of(connection, assessed.cells)
        rows = [
            {
                "level": "unknown" if level < 0 else level,
                "article": assessor.table.article if level > 0 else None,
                "hexes": int((assessed.level == level).sum()),
                "people": round(float(people[assessed.level == level].sum())),
            }
            for level in sorted(set(assessed.level.tolist()), reverse=True)
        ]
        simulated = assessor.rain.is_simulated
    print_rows(rows, as_json=as_json, empty="no hexes")
    if not as_json:
        for place, reached in assessed.opinions.items():
            say(f"threshold of {place} (not calibrated here): {int((reached == 1).sum())} hexes "
                f"above it, {int((reached < 0).sum())} unknown")  # fmt: skip
        if simulated:
            say("the rain is simulated: nothing of this happened")


@app.command(epilog="Example: gis risk verify --since 2024-09-01 --until 2024-09-12")
def verify(
    since: Annotated[str, typer.Option(help="First day of rain")],
    until: Annotated[str, typer.Option(help="Last day of rain")],
    events: Annotated[str, typer.Option(help="Layer with the recorded events")] = "landslides",
    level: Annotated[int, typer.Option(min=1, max=5, help="Warned of from this level on")] = 1,
    rain: Rain = "rain_daily",
    susceptibility: Place = "landslide_susceptibility",
    resolution: Resolution = 7,
    table: Table = None,
    as_json: AsJson = False,
) -> None:
    """Count hits, misses and false alarms of the levels against recorded events, by hex and day.

    With simulated rain these are counts of a drill, and no skill is printed.
    """
    import numpy as np

    from gis.risk.verification import verify as score_of
    from layers.risk_events import events_by_day

    layer = read_layers(read_settings()).get(events)
    with _assessing(rain, susceptibility, resolution, table) as (assessor, spec, connection):
        first, last = _day(since), _day(until)
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        spans = [spec.day_of(each) for each in days]
        happened = events_by_day(connection, layer, spans, assessor.cells, resolution)
        levels = np.stack([assessor.assess(_end_of(spec, f"{each}")).level for each in days])
        simulated = assessor.rain.is_simulated
    score = score_of(levels, happened, level)
    facts: dict[str, object] = {
        "days": len(days),
        "hexes": len(assessor.cells),
        "hits": score.hits,
        "misses": score.misses,
        "false_alarms": score.false_alarms,
        "quiet": score.quiet,
        "unknown": score.unknown,
        "events_unknown": score.events_unknown,
    }
    if simulated:
        facts["skill"] = "none: the rain is simulated"
    else:
        facts |= {
            "hit_rate": score.hit_rate,
            "false_alarm_ratio": score.false_alarm_ratio,
            "critical_success": score.critical_success,
        }
    print_facts(facts, as_json=as_json)


@contextmanager
def _assessing(
    rain: str, susceptibility: str, resolution: int, table: Path | None
) -> "Iterator[tuple[RiskAssessor, RasterSpec, Connection]]":
    from gis.placing.reference import stored_territory
    from gis.rasters.store import require_stack, stored_stack
    from gis.risk.assessment import RiskAssessor
    from gis.risk.law import DECISION_18_2021, read_risk_table

    settings = read_settings()
    catalogue = read_layers(settings)
    layer, place = catalogue.raster(rain), catalogue.raster(susceptibility)
    levels = read_risk_table(table or DECISION_18_2021)
    with database_in_use() as database, database.reading() as connection:
        cells = stored_territory(connection).cells(resolution).astype("int64")
        assessor = RiskAssessor(
            require_stack(connection, layer.id),
            stored_stack(connection, place.id),
            settings.rasters,
            cells,
            levels,
        )
        yield assessor, layer.spec, connection


def _end_of(spec: "RasterSpec", day: str) -> datetime:
    end = spec.day_of(_day(day)).end
    assert end is not None
    return end


def _day(text: str) -> date:
    from gis.errors import BadInput

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date: write it as 2024-09-10") from None
