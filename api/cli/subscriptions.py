"""gis subscriptions: recipients of alerts."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.context import database_in_use, read_layers, read_settings, somebody_here
from api.cli.output import AsJson, complain, print_json, print_rows, say
from api.records import Record, select, subscription_record
from gis.alerts.policy import Tier
from gis.notify.channels import CHANNELS, address_labels, channel_names, channels_from
from gis.notify.notification import Language

if TYPE_CHECKING:
    from gis.notify.subscriptions import Subscription

app = typer.Typer(help=f"Recipients of alerts, by {channel_names()}.", no_args_is_help=True)


def _channel(name: str) -> str:
    """The name, of a channel that there is. Raises BadParameter."""
    if name not in CHANNELS:
        known = ", ".join(f"'{channel}'" for channel in CHANNELS)
        raise typer.BadParameter(f"'{name}' is not one of {known}")
    return name


_SHOWN: Final = {
    name: name
    for name in (
        "name", "channel", "target", "language", "layers", "communes", "least_severity",
        "simulated", "only_named", "on_duty", "person", "quiet_hours",
        "digest_minutes", "delivered",
        "waiting", "dead", "error",
    )
}  # fmt: skip

Name = Annotated[str, typer.Argument(help="Name of the subscription")]


@app.command(
    epilog="Example: gis subscriptions add desk webhook https://desk.example.vn/alerts "
    "--layer citizen_reports"
)
def add(
    name: Name,
    channel: Annotated[str, typer.Argument(help=f"Channel: {channel_names()}", callback=_channel)],
    target: Annotated[str, typer.Argument(help=f"Address: {address_labels()}")],
    language: Annotated[Language, typer.Option(help="Language of mail")] = Language.VI,
    layer: Annotated[list[str] | None, typer.Option(help="Only these layers")] = None,
    commune: Annotated[list[str] | None, typer.Option(help="Only these codes")] = None,
    least_severity: Annotated[Tier, typer.Option(help="And what is more severe")] = Tier.ALERT,
    simulated: Annotated[bool, typer.Option(help="Alerts on simulated data too")] = False,
    only_named: Annotated[
        bool, typer.Option("--only-named", help="Only of layers whose files name it")
    ] = False,
    on_duty: Annotated[
        bool, typer.Option("--on-duty", help="Only while its person is on duty by the roster")
    ] = False,
    person: Annotated[str, typer.Option(help="As the roster names whose it is; unset: NAME")] = "",
    digest: Annotated[
        int, typer.Option(min=0, max=1440, help="Minutes for which the rest is gathered as one")
    ] = 0,
    quiet: Annotated[
        str | None, typer.Option(help="Hours such as 22:00-06:00 in which only urgent ones go")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a recipient: alerts are sent there from now on. A webhook's secret is shown this once."""
    from gis.notify.quiet_hours import QuietHours
    from gis.notify.subscriptions import SubscriptionRequest, subscribe

    settings = read_settings()
    quiet_hours = QuietHours.parse(quiet) if quiet else None
    layers = tuple(read_layers(settings).get(layer_id).id for layer_id in layer or ())
    request = SubscriptionRequest(
        name, channel, target, language, layers, tuple(commune or ()), least_severity, simulated,
        only_named, on_duty, person, quiet_hours, digest,
    )  # fmt: skip
    with database_in_use() as database, database.writing() as connection:
        me, channels = somebody_here().name, channels_from(settings)
        secret = subscribe(connection, request, me, channels, by_admin=True)
    if as_json:
        print_json({"name": name, "secret": secret})
    elif secret is None:
        say(f"alerts go to {target}")
    else:
        say(secret)
        complain("this secret signs what is sent: keep it safe, it is not shown again")


@app.command("list", epilog="Example: gis subscriptions list --json")
def list_command(as_json: AsJson = False) -> None:
    """List subscriptions with the numbers delivered, waiting and failed; never a secret."""
    from gis.notify.subscriptions import subscriptions
    from layers.definition.recipients import missing_recipients

    with database_in_use() as database, database.reading() as connection:
        rows = [_row(subscription) for subscription in subscriptions(connection)]
        missing = missing_recipients(connection)
    print_rows(rows, as_json=as_json, empty="there are no subscriptions")
    for message in missing:
        complain(message)


@app.command(epilog="Example: gis subscriptions remove desk")
def remove(name: Name) -> None:
    """Remove a recipient: nothing more is sent there, also not what waits."""
    from gis.notify.subscriptions import unsubscribe
    from layers.definition.recipients import missing_recipients

    with database_in_use() as database, database.writing() as connection:
        unsubscribe(connection, name)
        missing = missing_recipients(connection)
    say(f"nothing more goes to {name}")
    for message in missing:
        complain(message)


@app.command(epilog="Example: gis subscriptions retry desk")
def retry(name: Name) -> None:
    """Retry failed deliveries, for a receiver that works again."""
    from gis.notify.subscriptions import retry_failed

    with database_in_use() as database, database.writing() as connection:
        retried = retry_failed(connection, name)
    say(f"{retried} messages wait again")


@app.command(epilog="Example: gis subscriptions send")
def send() -> None:
    """Send the deliveries that are due now, beside a service or without one."""
    from gis.notify.dispatch import send_due, sender_of

    with database_in_use() as database:
        attempts = send_due(database, sender_of(read_settings()))
    say(f"{attempts} attempts were made")


def _row(subscription: "Subscription") -> Record:
    record = subscription_record(subscription)
    lists = {name: " ".join(record[name]) for name in ("layers", "communes")}
    return {"id": subscription.id, **select(record, _SHOWN), **lists}
