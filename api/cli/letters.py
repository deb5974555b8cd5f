"""gis letters: weekly letters to those who answer for departments' data."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from api.cli.context import Who, database_in_use, read_layers, read_settings, somebody_here
from api.cli.output import AsJson, print_rows, say
from gis.clock import HERE
from gis.notify.notification import Language

app = typer.Typer(help="Weekly letters to the stewards of departments' data.", no_args_is_help=True)

Department = Annotated[str, typer.Argument(help="The department, as layer files write it (vi)")]
Address = Annotated[str, typer.Argument(help="Mail address")]


@app.command(epilog='Example: gis letters add "Sở Y tế" du-lieu@soyte.example.vn')
def add(
    department: Department,
    address: Address,
    language: Annotated[Language, typer.Option(help="Language of the letter")] = Language.VI,
    who: Who = None,
) -> None:
    """Send letters about a department's layers there, each Monday at 07:00."""
    from layers.letters.stewards import add_steward

    catalogue = read_layers(read_settings())
    me = somebody_here(who).name
    with database_in_use() as database, database.writing() as connection:
        add_steward(connection, catalogue, department, address, me, language)
    say(f"letters about the data of {department} go to {address}")


@app.command("list", epilog="Example: gis letters list")
def list_command(as_json: AsJson = False) -> None:
    """List the stewards."""
    from layers.letters.stewards import stewards

    with database_in_use() as database, database.writing() as connection:
        rows = [asdict(each) for each in stewards(connection)]
    print_rows(rows, as_json=as_json, empty="nobody has letters: gis letters add")


@app.command(epilog='Example: gis letters remove "Sở Y tế" du-lieu@soyte.example.vn')
def remove(department: Department, address: Address) -> None:
    """Send no more letters there."""
    from layers.letters.stewards import end_steward

    with database_in_use() as database, database.writing() as connection:
        end_steward(connection, department, address)
    say(f"no more letters go to {address}")


@app.command(epilog="Example: gis letters sent")
def sent(
    limit: Annotated[int, typer.Option(min=1, help="Most letters to list")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the last letters: sent, waiting with the error, silent or given up (dead)."""
    from layers.letters.stewards import last_letters

    with database_in_use() as database, database.writing() as connection:
        rows = last_letters(connection, limit)
    print_rows(rows, as_json=as_json, empty="no letter was due yet")


@app.command(epilog='Example: gis letters show "Sở Y tế" --week 2026-11-23')
def show(
    department: Department,
    week: Annotated[
        str | None, typer.Option(help="A day of the week, such as 2026-11-23; unset: the last one")
    ] = None,
    language: Annotated[Language, typer.Option(help="Language of the letter")] = Language.VI,
) -> None:
    """Print the letter about a week as it would be sent; nothing is sent or stored."""
    from gis.errors import NotFound
    from layers.definition.messages import near
    from layers.letters.sending import compose, last_week
    from layers.letters.stewards import departments, week_of

    catalogue = read_layers(read_settings())
    known = departments(catalogue)
    if department not in known:
        raise NotFound(f"no layer file names the department {department}{near(department, known)}")
    now = datetime.now(UTC)
    monday = week_of(week, now.astimezone(HERE).date()) if week else last_week(now)
    with database_in_use() as database, database.reading() as connection:
        letter = compose(connection, catalogue, department, monday, language)
    typer.echo(f"{letter.subject}\n\n{letter.text}")
    for name, content in letter.files.items():
        typer.echo(f"[{name}: {len(content)} bytes]")
