"""gis alerts: what is open, and the acts of the operators on duty."""

from typing import Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_rows, say
from gis.access import LOCAL_ADMIN
from gis.alerts.life import Alert, acknowledge, list_alerts, resolve
from gis.alerts.states import Outcome, Status

app = typer.Typer(help="List, acknowledge and resolve alerts.", no_args_is_help=True)

AlertId = Annotated[int, typer.Argument(help="Number of the alert")]


@app.command("list", epilog="Example: gis alerts list --status open --json")
def list_command(
    status: Annotated[list[Status] | None, typer.Option(help="Only these states")] = None,
    as_json: AsJson = False,
) -> None:
    """List alerts, live ones first."""
    layers = [layer.id for layer in read_layers(read_settings()).layers]
    with database_in_use() as database, database.reading() as connection:
        found = list_alerts(connection, layers=layers, statuses=status or tuple(Status))
    print_rows([_row(alert) for alert in found], as_json=as_json, empty="there are no alerts")


@app.command(epilog='Example: gis alerts ack 3 --note "đã gọi xã"')
def ack(alert: AlertId, note: str = "") -> None:
    """Take an open alert on."""
    with database_in_use() as database, database.writing() as connection:
        acknowledge(connection, alert, LOCAL_ADMIN.name, note)
    say(f"alert {alert} is acknowledged")


@app.command("resolve", epilog='Example: gis alerts resolve 3 false --note "tập trận"')
def resolve_command(alert: AlertId, outcome: Outcome, note: str = "") -> None:
    """Say that it is over, and whether it was true; a false alarm needs a note."""
    with database_in_use() as database, database.writing() as connection:
        resolve(connection, alert, LOCAL_ADMIN.name, outcome, note)
    say(f"alert {alert} is resolved")


def _row(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id,
        "status": alert.status.value,
        "severity": alert.severity,
        "layer": alert.layer_id,
        "headline": alert.headline_vi,
        "communes": ", ".join(name for _, name in alert.communes),
        "simulated": alert.simulated,
        "opened_at": alert.opened_at,
    }
