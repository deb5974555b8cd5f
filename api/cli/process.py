"""gis process: list and describe the processes, run one, keep and remove results."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import database_in_use, read_layers_at_hand, read_settings, somebody_here
from api.cli.output import AsJson, print_facts, print_json, print_rows, say
from gis.errors import BadInput

if TYPE_CHECKING:
    from uuid import UUID

app = typer.Typer(help="Ask questions of layers, and list the results.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of a process: `gis process list`")]
Result = Annotated[str, typer.Argument(help="Id of an execution, or of its collection")]
_TIMEOUT_MS = 900_000


@app.command("list", epilog="Example: gis process list")
def list_(as_json: AsJson = False) -> None:
    """List the processes that there are."""
    from layers.processes.operations import PROCESSES

    rows = [
        {"name": each.name, "vi": each.title.vi, "en": each.title.en} for each in PROCESSES.values()
    ]
    print_rows(rows, as_json=as_json, empty="there are no processes")


@app.command(epilog="Example: gis process show select")
def show(name: Name, as_json: AsJson = False) -> None:
    """Describe a process: its parameters, what they mean, and inputs to begin with."""
    from layers.processes.description import command_of, parameter_rows
    from layers.processes.execution import process_of

    process = process_of(name)
    rows = parameter_rows(process)
    if as_json:
        print_json({"name": name, "parameters": rows, "examples": list(process.examples)})
        return
    say(f"{process.title.vi} / {process.title.en}")
    say(process.description.vi)
    say(process.description.en)
    print_rows(rows, as_json=False, empty="it has no parameters")
    for example in process.examples:
        say(f"example: {command_of(name, example)}")


@app.command(epilog="Example: gis process run select layer=communes relation=nearest of=landslides")
def run(
    name: Name,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Inputs as name=value, of layers also layer.filter=…; JSON is read"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a process here and now; its result is a collection of the service."""
    from layers.processes.execution import execute_now, process_of, read_parameters
    from layers.processes.runs import find_run

    process = process_of(name)
    parameters = read_parameters(process, read_inputs(inputs or ()))
    who = somebody_here()
    with database_in_use() as database:
        made = execute_now(
            database, read_layers_at_hand(), process, parameters, who, _TIMEOUT_MS,
            lambda _, words: say(words) if not as_json else None, read_settings().rasters,
        )  # fmt: skip
        with database.reading() as connection:
            done = find_run(connection, made, who)
    facts = {"collection": done.collection, **(done.value or {})}
    print_facts({name: value for name, value in facts.items() if value is not None},
                as_json=as_json)  # fmt: skip


@app.command(epilog="Example: gis process results")
def results(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first")] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions and their collections."""
    from layers.processes.runs import list_runs

    with database_in_use() as database, database.reading() as connection:
        found = list_runs(connection, somebody_here(), limit=limit)
    rows = [
        {
            "id": str(each.id),
            "process": each.process,
            "owner": each.owner,
            "status": each.status,
            "created_at": each.created_at,
            "expires_at": each.expires_at or "kept",
        }
        for each in found
    ]
    print_rows(rows, as_json=as_json, empty="nothing was executed within a week")


@app.command(epilog="Example: gis process keep result_3f2a…")
def keep(result: Result) -> None:
    """Keep a result until it is removed; others go a week after they were last read."""
    from layers.processes.runs import find_run, keep

    with database_in_use() as database, database.writing() as connection:
        found = find_run(connection, _run(result), somebody_here())
        keep(connection, found.id, kept=True)
    say(f"{found.collection or found.id} is kept")


@app.command(epilog="Example: gis process remove result_3f2a…")
def remove(result: Result) -> None:
    """Remove a result; one that waits or runs is dismissed."""
    from layers.processes.runs import dismiss, find_run

    with database_in_use() as database, database.writing() as connection:
        found = find_run(connection, _run(result), somebody_here())
        dismiss(connection, found)
    say(f"{found.id} is removed")


def read_inputs(words: "list[str] | tuple[str, ...]") -> dict[str, Any]:
    """Inputs from `name=value` and `name.part=value`; a value that is JSON is read as such.

    Raises BadInput for a word without `=`.
    """
    inputs: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise BadInput(f"{word!r} is no input: write name=value")
        name, _, part = name.partition(".")
        if not part:
            inputs[name] = _value(text)
            continue
        whole = inputs.get(name, {})
        whole = {"layer": whole} if isinstance(whole, str) else whole
        inputs[name] = {**whole, part: text}
    return inputs


def _value(text: str) -> Any:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _run(result: str) -> "UUID":
    from uuid import UUID

    try:
        return UUID(result.removeprefix("result_"))
    except ValueError:
        raise BadInput(f"{result!r} is no id: `gis process results` lists them") from None
