"""gis keys: API keys of departments, operators and administrators."""

from typing import Annotated, Literal

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, complain, print_json, print_rows, say

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@app.command(epilog="Example: gis keys create --role department --layer landslides")
def create(
    role: Annotated[
        Literal["department", "operator", "admin"],
        typer.Option(help="department, operator or admin"),
    ],
    layer: Annotated[list[str] | None, typer.Option(help="A layer of the department")] = None,
    name: Annotated[str, typer.Option(help="Whose key it is")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once; the database holds its hash."""
    from gis.access import Role, create_key

    layers = [read_layers(read_settings()).get(layer_id).id for layer_id in layer or ()]
    with database_in_use() as database, database.writing() as connection:
        key = create_key(connection, name or role, Role(role), layers)
    if as_json:
        print_json({"key": key, "role": role, "layers": layers})
    else:
        say(key)
        complain("keep it safe: it is not shown again")


@app.command("list", epilog="Example: gis keys list --json")
def list_command(as_json: AsJson = False) -> None:
    """List the keys, never the keys themselves."""
    from gis.access import list_keys

    with database_in_use() as database, database.reading() as connection:
        keys = list_keys(connection)
    rows = [
        {
            "prefix": key.prefix,
            "name": key.name,
            "role": key.role.value,
            "layers": " ".join(key.layers),
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
        for key in keys
    ]
    print_rows(rows, as_json=as_json, empty="there are no keys")


@app.command(epilog="Example: gis keys revoke gis_AbCdEfGh")
def revoke(prefix: Annotated[str, typer.Argument(help="How the key starts")]) -> None:
    """Revoke a key: from now on it opens nothing."""
    from gis.access import revoke_key

    with database_in_use() as database, database.writing() as connection:
        revoke_key(connection, prefix)
    say("revoked")
