"""gis jobs: what workers do, wait for and have done."""

from typing import Annotated, Literal

import typer

from api.cli.context import database_in_use
from api.cli.output import AsJson, print_facts, print_json, print_rows, say

app = typer.Typer(help="List, cancel and retry jobs of `gis work`.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the job", min=1)]
State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@app.command("list", epilog="Example: gis jobs list --state failed")
def list_(
    state: Annotated[State | None, typer.Option(help="Only in this state")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs: those that wait, run, and have ended within some days."""
    from gis.jobs.queue import list_jobs

    with database_in_use() as database, database.reading() as connection:
        rows = list_jobs(connection, state, limit)
    if as_json:
        print_json(rows)
        return
    shown = ("id", "key", "state", "attempts", "message", "error", "created_at", "ended_at")
    rows = [{name: row[name] for name in shown} for row in rows]
    print_rows(rows, as_json=False, empty="there are no such jobs")


@app.command(epilog="Example: gis jobs show 42")
def show(number: Number, as_json: AsJson = False) -> None:
    """Show all that is known of a job."""
    from gis.jobs.queue import find_job

    with database_in_use() as database, database.reading() as connection:
        job = find_job(connection, number)
    print_facts(job, as_json=as_json)


@app.command(epilog="Example: gis jobs cancel 42")
def cancel(number: Number) -> None:
    """Cancel a job that waits or runs; what computes it is ended within a second."""
    from gis.jobs.queue import cancel

    with database_in_use() as database, database.writing() as connection:
        cancel(connection, number)
    say(f"job {number} is cancelled")


@app.command(epilog="Example: gis jobs retry 42")
def retry(number: Number) -> None:
    """Queue a job again that failed or was cancelled, with all its attempts."""
    from gis.jobs.queue import retry_ended

    with database_in_use() as database, database.writing() as connection:
        retry_ended(connection, number)
    say(f"job {number} is queued again")
