"""gis db: start, stop and migrate the database."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import read_settings
from api.cli.output import AsJson, print_facts, say, step
from gis.errors import BadInput, Conflict

if TYPE_CHECKING:
    from gis.settings import Settings

app = typer.Typer(help="Start, stop and migrate the database.", no_args_is_help=True)


@app.command(epilog="Example: gis db start")
def start() -> None:
    """Start the embedded cluster and keep it running until `gis db stop`."""
    from gis.database.connect import embedded

    cluster = embedded(_without_server(read_settings()))
    cluster.start()
    cluster.keep(True)
    say(cluster.url)


@app.command(epilog="Example: gis db stop")
def stop() -> None:
    """Stop the embedded cluster; who is using it loses the connection."""
    from gis.database.connect import embedded

    cluster = embedded(_without_server(read_settings()))
    cluster.keep(False)
    cluster.stop()
    say("stopped")


@app.command(epilog="Example: gis db status --json")
def status(as_json: AsJson = False) -> None:
    """Say where the database is, whether it runs, and at which revision."""
    from gis.database.connect import embedded, opened
    from gis.database.migrate import newest_revision, revision_of

    settings = read_settings()
    facts: dict[str, object] = {"needed_revision": newest_revision()}
    if settings.database_url is None:
        cluster = embedded(settings)
        facts |= {"kind": "embedded", "folder": cluster.place, "running": cluster.is_running()}
        if not cluster.is_running():
            print_facts(facts, as_json=as_json)
            return
    else:
        facts |= {"kind": "server"}
    with opened(settings) as database, database.reading() as connection:
        facts["revision"] = revision_of(connection) or "none"
    print_facts(facts, as_json=as_json)


@app.command("migrate", epilog="Example: gis db migrate")
def migrate_command() -> None:
    """Bring the database to the schema of this version; safe to repeat."""
    from gis.database.connect import opened
    from gis.database.migrate import migrate

    with opened(read_settings()) as database:
        say(f"at revision {migrate(database)}")


@app.command(epilog="Example: gis db reset --yes")
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Delete the embedded cluster with all its data."""
    from gis.database.connect import embedded

    cluster = embedded(_without_server(read_settings()))
    if cluster.is_used():
        raise Conflict("the cluster is in use: stop `gis up` and other commands first")
    if not yes:
        typer.confirm(f"Delete all data under {cluster.place}?", abort=True)
    step("deleting the embedded cluster")
    cluster.remove()
    say("deleted; `gis up` starts anew")


def _without_server(settings: "Settings") -> "Settings":
    if settings.database_url is not None:
        raise BadInput(
            "GIS_DATABASE_URL names a server, which this command does not touch; "
            "unset it to speak of the embedded cluster"
        )
    return settings
