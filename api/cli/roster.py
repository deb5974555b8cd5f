"""gis roster: who is on duty, when nobody is, and rosters loaded and undone."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import database_in_use, read_layers_at_hand, somebody_here
from api.cli.output import AsJson, complain, print_facts, print_rows, say
from api.records import gap_record, json_ready, shift_record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gis.notify.roster.file import RosterWords
    from layers.definition.catalogue import Catalogue

app = typer.Typer(help="Duty roster: who is notified when.", no_args_is_help=True)

Moment = Annotated[str | None, typer.Option(help="Local time, such as 2026-12-01 07:00")]
Days = Annotated[float, typer.Option(min=0.1, max=400, help="Of so many days from now on")]


@app.command(epilog="Example: gis roster load truc-thang-12.csv --dry-run")
def load(
    file: Annotated[Path, typer.Argument(help="CSV or workbook: who, from, to, communes …")],
    begin: Moment = None,
    end: Moment = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, and change nothing")] = False,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the file's text")] = None,
    as_json: AsJson = False,
) -> None:
    """Replace the roster of the file's period, from its first shift to its last.

    The period may be longer (--begin, --end): within it what is not in the file is removed. Faults
    are listed by line, and then nothing changes.
    """
    from gis.notify.roster.file import read_roster
    from gis.notify.roster.gap_alert import roster_gaps
    from gis.notify.roster.shifts import local_moment
    from gis.notify.roster.store import load_roster
    from layers.definition.recipients import layers_with_alerts

    catalogue = read_layers_at_hand()
    period = (begin and local_moment(begin)) or None, (end and local_moment(end)) or None
    layers = [layer.id for layer in layers_with_alerts(catalogue)]
    with database_in_use() as database, database.writing() as connection:
        rows = read_roster(file, _words(connection, catalogue), encoding)
        with connection.begin_nested() as trial:
            done = load_roster(connection, rows, somebody_here().name, file.name, period)
            missing = roster_gaps(connection, layers, done.since, done.until)
            if dry_run:
                trial.rollback()
    facts = {name: value for name, value in asdict(done).items() if not name.startswith("undone")}
    if dry_run:
        facts["id"] = None
    print_facts(facts | {"gaps": len(missing), "dry_run": dry_run}, as_json=as_json)
    for gap in missing[:5]:
        record = gap_record(gap)
        complain(f"nobody is on duty from {_local(gap.since)} to {_local(gap.until)}: "
                 f"{', '.join(record['layers'])}")  # fmt: skip


@app.command("list", epilog="Example: gis roster list --days 7")
def list_command(days: Days = 30, as_json: AsJson = False) -> None:
    """List the shifts from now on."""
    from gis.notify.roster.store import roster_in_force

    now = datetime.now(UTC)
    with database_in_use() as database, database.reading() as connection:
        shifts = roster_in_force(connection, now, now + timedelta(days=days))
    rows = [shift_record(shift) for shift in shifts]
    print_rows(_rows(rows, as_json), as_json=as_json, empty="nobody is on duty")


@app.command(epilog="Example: gis roster gaps --days 31")
def gaps(days: Days = 31, as_json: AsJson = False) -> None:
    """List the hours in which nobody who can be reached is on duty for some alerts."""
    from gis.notify.roster.gap_alert import roster_gaps
    from layers.definition.recipients import layers_with_alerts

    now = datetime.now(UTC)
    layers = [layer.id for layer in layers_with_alerts(read_layers_at_hand())]
    with database_in_use() as database, database.reading() as connection:
        found = roster_gaps(connection, layers, now, now + timedelta(days=days))
    rows = [gap_record(gap) for gap in found]
    print_rows(_rows(rows, as_json), as_json=as_json, empty="somebody is on duty at every hour")


@app.command(epilog="Example: gis roster loads")
def loads(as_json: AsJson = False) -> None:
    """List the loads of the roster, the newest first."""
    from gis.notify.roster.store import roster_loads

    with database_in_use() as database, database.reading() as connection:
        rows = [asdict(each) for each in roster_loads(connection)]
    print_rows(rows, as_json=as_json, empty="no roster was loaded")


@app.command(epilog="Example: gis roster undo 3")
def undo(load: Annotated[int, typer.Argument(help="Number, from `gis roster loads`")]) -> None:
    """Put back the roster as it was before a load, the newest first."""
    from gis.notify.roster.store import undo_roster_load

    with database_in_use() as database, database.writing() as connection:
        undone = undo_roster_load(connection, load, somebody_here().name)
    say(f"load {undone.id} ({undone.file}) is undone: {undone.replaced} shifts are back")


def _words(connection: "Connection", catalogue: "Catalogue") -> "RosterWords":
    from gis.boundaries.store import read_history
    from gis.clock import today
    from gis.notify.roster.file import RosterWords
    from gis.notify.roster.store import people_on_duty
    from gis.placing.unit_names import UnitNames
    from layers.definition.recipients import layers_with_alerts

    names = UnitNames(read_history(connection), today())
    return RosterWords(layers_with_alerts(catalogue), names.communes_of, people_on_duty(connection))


def _rows(records: list[dict[str, Any]], as_json: bool) -> list[dict[str, Any]]:
    """Records as JSON has them, or with their lists as words."""
    if as_json:
        return [json_ready(record) for record in records]
    return [
        {
            name: " ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in record.items()
        }
        for record in records
    ]


def _local(moment: datetime) -> str:
    from gis.clock import HERE

    return moment.astimezone(HERE).strftime("%Y-%m-%d %H:%M")
