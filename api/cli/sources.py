"""gis sources: the systems that the service reads by itself."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.context import Who, database_in_use, read_layers, read_settings, somebody_here
from api.cli.file_options import AssumedCrs, DateFormat, NumberFormat, file_answers
from api.cli.output import AsJson, check_folder, print_facts, print_rows, say, write_new
from gis.clock import HERE

app = typer.Typer(
    help="See, run, pause and answer the sources that the service reads.", no_args_is_help=True
)

_LISTED: Final = (
    "layer_id", "connector", "state", "last_success", "last_change", "next_due", "fresh_until",
    "failures",
)  # fmt: skip
_NOT_SHOWN: Final = ("columns", "token", "reads", "active", "id")
_EMPTY: Final = "no layer file names a source that the service reads"

LayerId = Annotated[str, typer.Argument(help="Id of the layer that the source fills")]


@app.command("list", epilog="Example: gis sources list")
def list_command(as_json: AsJson = False) -> None:
    """List the sources: how fresh each is, and when it is read next."""
    rows = _sources()
    shown = rows if as_json else [{name: row[name] for name in _LISTED} for row in rows]
    print_rows(shown, as_json=as_json, empty=_EMPTY)


@app.command(epilog="Example: gis sources status")
def status(as_json: AsJson = False) -> None:
    """Show the sources that need somebody, late, failing, asking or paused, and why."""
    rows = _sources()
    needy = [
        {
            "layer_id": row["layer_id"],
            "state": row["state"],
            "last_success": row["last_success"],
            "why": _why(row),
        }
        for row in rows
        if row["state"] in ("late", "failing", "asking", "paused") or row["failures"]
    ]
    if not as_json:
        counts = Counter(row["state"] for row in rows)
        say(", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or _EMPTY)
    print_rows(needy, as_json=as_json, empty="all sources are as they should be")


@app.command(epilog="Example: gis sources show rain")
def show(layer: LayerId, as_json: AsJson = False) -> None:
    """Show all that is known of a source: its cursor, schedule, promise, error and question."""
    from layers.sources.state import find_source

    with database_in_use() as database, database.reading() as connection:
        row = find_source(connection, layer)
    print_facts({k: v for k, v in row.items() if k not in _NOT_SHOWN}, as_json=as_json)


@app.command(epilog="Example: gis sources run rain")
def run(layer: LayerId, as_json: AsJson = False) -> None:
    """Read a source now and store what is new. It ends with an error where the source does."""
    from gis.errors import AmbiguousInput, BadInput, SourceUnavailable
    from layers.definition.model import FeedSource
    from layers.jobs.sources import surroundings_of
    from layers.sources.run import run_source
    from layers.sources.state import enter_sources, is_entered, no_source

    settings = read_settings()
    catalogue = read_layers(settings)
    chosen = catalogue.get(layer)
    if not isinstance(chosen.source, FeedSource):
        raise no_source(layer)
    with database_in_use() as database:
        with database.writing() as connection:
            enter_sources(connection, catalogue.layers)
            if not is_entered(connection, layer):
                raise BadInput(f"the layer {layer} is not published yet: run `gis layers sync`")
        report = run_source(database, chosen, surroundings_of(settings), longest_s=float("inf"))
    print_facts(asdict(report), as_json=as_json)
    if report.state == "asks":
        raise AmbiguousInput(report.why)
    if report.state == "failed":
        raise SourceUnavailable(report.why)


@app.command(epilog="Example: gis sources draft https://mua.example.vn/stations --id rain")
def draft(
    address: Annotated[str, typer.Argument(help="URL of the system, or a folder within GIS_INBOX")],
    *,
    connector: Annotated[
        str | None, typer.Option(help="How it is read; unset: as the address seems")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="A word of the section `read` and its value, such as records=data.items"),
    ] = None,
    layer_id: Annotated[
        str | None, typer.Option("--id", help="Id of the layer; unset: from the address")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Layer file to write; unset: it is printed")
    ] = None,
) -> None:
    """Draft a layer file for another system: its first records are read, and nothing is stored.

    The first five are shown as they would be placed. What says “?” is to be filled in.
    """
    import yaml

    from gis.errors import BadInput
    from layers.definition.model import Layer
    from layers.ingest.load import preview_places
    from layers.jobs.sources import surroundings_of
    from layers.sources.draft import draft_source

    check_folder(out)
    pairs = [text.partition("=") for text in option or ()]
    for name, equals, _ in pairs:
        if not equals:
            raise BadInput(f"{name!r}: write word=value")
    options = {name: yaml.safe_load(value) for name, _, value in pairs}
    drafted = draft_source(
        address,
        surroundings_of(read_settings()),
        connector=connector,
        options=options,
        layer_id=layer_id or (out.stem if out else None),
    )
    if out is None:
        typer.echo(drafted.text, nl=False)
    else:
        write_new(out, drafted.text)
        say(f"drafted {drafted.layer_id} in {out}: fill in what says “?”, then `gis layers check`")
    layer = Layer.model_validate(yaml.safe_load(drafted.text))
    with database_in_use() as database, database.reading() as connection:
        rows = [asdict(each) for each in preview_places(connection, layer, drafted.chunks)]
    print_rows(rows, as_json=False, empty="")


@app.command(epilog="Example: gis sources pause rain")
def pause(layer: LayerId, who: Who = None) -> None:
    """Read a source no more until it is resumed; its layer keeps what it has."""
    from layers.sources.state import pause

    with database_in_use() as database, database.writing() as connection:
        pause(connection, layer, somebody_here(who).name)
    say(f"the source of {layer} is paused")


@app.command(epilog="Example: gis sources resume rain")
def resume(layer: LayerId) -> None:
    """Read a paused source again."""
    from layers.sources.state import resume

    with database_in_use() as database, database.writing() as connection:
        resume(connection, layer)
    say(f"the source of {layer} is read again")


@app.command(epilog="Example: gis sources retry rain")
def retry(layer: LayerId) -> None:
    """Read a source at once that failed or asks; a question that still stands is asked again."""
    from layers.sources.state import retry_now

    with database_in_use() as database, database.writing() as connection:
        retry_now(connection, layer)
    say(f"the source of {layer} is due")


@app.command(epilog="Example: gis sources answer rain --yes")
def answer(
    layer: LayerId,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take the change as it is, for the next reading")
    ] = False,
    crs: AssumedCrs = None,
    date_format: DateFormat = None,
    number_format: NumberFormat = None,
) -> None:
    """Answer the question of a source, which is read again then.

    A yes is for what changed or is gone; a format is kept for all later readings.
    """
    from gis.errors import BadInput
    from layers.sources.state import answer

    given = file_answers(assume_crs=crs, date_format=date_format, number_format=number_format)
    if not (yes or given.as_dict()):
        raise BadInput("answer with --yes, or say how it is written: --crs, --date-format …")
    with database_in_use() as database, database.writing() as connection:
        answer(connection, layer, given.as_dict(), confirmed=yes)
    say(f"the source of {layer} is due")


@app.command(epilog="Example: gis sources quality landslides")
def quality(
    layer: LayerId,
    limit: Annotated[int, typer.Option(min=1, help="Most loads to list")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show how good the last loads of a layer were, be they of a source, files or pushes.

    Shares are from 0 to 1: completeness, validity and duplicates of the records, and how many of
    those that were placed are in a hex and in a commune; age_s is the median age in seconds.
    """
    from layers.ingest.quality import qualities

    catalogue = read_layers(read_settings())
    with database_in_use() as database, database.reading() as connection:
        rows = qualities(connection, catalogue.get(layer).id, limit)
    print_rows(rows, as_json=as_json, empty="nothing was loaded since quality is measured")


def _why(row: dict[str, Any]) -> str:
    """The reason for which a source needs somebody, as far as it is known."""
    if row["question"]:
        return str(row["question"]["why"])
    words = str(row["error"])
    if row["state"] == "late":
        newest = _moment(row["newest"]) if row["newest"] else "–"
        late = (
            f"hẹn đến {_moment(row['fresh_until'])}, dữ liệu mới nhất {newest} / promised by "
            f"{_moment(row['fresh_until'])}, newest data {newest}"
        )
        words = f"{late}; {words}" if words else late
    return words


def _moment(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%Y-%m-%d %H:%M")


def _sources() -> list[dict[str, Any]]:
    from layers.sources.state import list_sources

    with database_in_use() as database, database.reading() as connection:
        rows = list_sources(connection)
    return [{k: v for k, v in row.items() if k not in _NOT_SHOWN} for row in rows]
