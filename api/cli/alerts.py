"""gis alerts: alerts and their evidence, the actions of operators, and backtests."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.context import Who, database_in_use, read_layers_at_hand, somebody_here
from api.cli.output import AsJson, check_folder, print_facts, print_json, print_rows, progress, say
from api.records import (
    Record,
    alert_event_record,
    alert_record,
    handover_record,
    precision_record,
    select,
    shift_record,
    silence_record,
)
from gis.alerts.inhibition import LONGEST_HOURS
from gis.alerts.policy import Tier
from gis.alerts.states import Outcome, Status
from gis.clock import HERE, last_day_of, month_from
from gis.errors import BadInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gis.alerts.actions import Alert
    from gis.alerts.calibration import Tally
    from gis.alerts.replay import ReplayedAlert
    from gis.notify.handover import ShiftEvent
    from layers.definition.catalogue import Catalogue
    from layers.definition.model import Layer
    from layers.detect.backtest import Backtest
    from layers.detect.injection import Injection

app = typer.Typer(
    help="Alerts: list, show, acknowledge, resolve, silence, and try rules on the past.",
    no_args_is_help=True,
)

# Members of records by the names under which commands show them.
_ROW: Final = {
    "id": "id",
    "status": "status",
    "severity": "severity",
    "layer": "layer_id",
    "headline": "headline_vi",
    "communes": "communes",
    "simulated": "simulated",
    "opened_at": "opened_at",
}
_FACTS: Final = {
    "rule": "rule",
    "headline_en": "headline_en",
    "detail": "detail_vi",
    "detail_en": "detail_en",
    "observed": "observed",
    "expected": "expected",
    "p": "p",
    "recurrence_days": "recurrence_days",
    "since": "since",
    "until": "until",
    "official": "official",
    "outcome": "outcome",
    "approved": "approved",
    "suppressed_why": "suppressed_why",
    "acknowledged_by": "acknowledged_by",
    "acknowledged_at": "acknowledged_at",
}
_HELD: Final = {"acknowledged_by": "acknowledged_by", "acknowledged_at": "acknowledged_at"}
_SILENCE: Final = {
    "id": "id",
    "layer": "layer_id",
    "rule": "rule",
    "communes": "communes",
    "who": "who",
    "why": "why",
    "until": "until",
}
_PRECISION: Final = {
    "layer": "layer_id",
    "rule": "rule",
    "simulated": "simulated",
    "alerts": "alerts",
    "true": "true",
    "false": "false",
    "unknown": "unknown",
    "share_true": "share_true",
    "interval": "interval",
}

AlertId = Annotated[int, typer.Argument(help="Number of the alert")]
Note = Annotated[str, typer.Option(help="Why, or what was seen; kept in the history")]
OneLayer = Annotated[str, typer.Argument(help="A layer with a section `alerts`")]
Since = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, in Vietnam")]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Day after the last, in Vietnam; unset: now"),
]


@app.command("list", epilog="Example: gis alerts list --status open --layer citizen_reports")
def list_command(
    status: Annotated[list[Status] | None, typer.Option(help="Only these states")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="Only of these layers")] = None,
    severity: Annotated[list[Tier] | None, typer.Option(help="Only these tiers")] = None,
    as_json: AsJson = False,
) -> None:
    """List alerts: by severity, unacknowledged first, the newest first; ended ones last."""
    from gis.alerts.actions import list_alerts

    catalogue = read_layers_at_hand()
    layers = [_check_layer(catalogue, layer_id) for layer_id in layer or ()] or _layers(catalogue)
    statuses, tiers = status or tuple(Status), severity or tuple(Tier)
    with database_in_use() as database, database.reading() as connection:
        alerts = list_alerts(connection, layers=layers, statuses=statuses, tiers=tiers)
    print_rows([_row(alert) for alert in alerts], as_json=as_json, empty="there are no alerts")


@app.command(epilog="Example: gis alerts show 3 --json")
def show(alert: AlertId, as_json: AsJson = False) -> None:
    """An alert with its numbers, its history and its evidence; nothing personal is shown."""
    from gis.alerts.actions import get_alert, history

    catalogue = read_layers_at_hand()
    with database_in_use() as database, database.reading() as connection:
        details = get_alert(connection, alert)
        steps = [alert_event_record(event) for event in history(connection, alert)]
        records = _evidence(connection, catalogue, details)
    facts = _facts(details)
    if as_json:
        print_json(facts | {"history": steps, "records": records})
        return
    print_facts(facts, as_json=False)
    say("")
    print_rows(steps, as_json=False, empty="it has no history")
    say("")
    reason = "cannot be read" if details.layer_id in catalogue.faulty else "is there any more"
    print_rows(records, as_json=False, empty=f"none of its records {reason}")


@app.command(epilog='Example: gis alerts ack 3 --note "đã gọi xã"')
def ack(
    alert: AlertId,
    note: Note = "",
    who: Who = None,
    take: Annotated[
        bool, typer.Option("--take-over", help="From the person who has it, at a change of shifts")
    ] = False,
) -> None:
    """Take an open alert on."""
    from gis.alerts.actions import acknowledge, take_over

    with database_in_use() as database, database.writing() as connection:
        act = take_over if take else acknowledge
        act(connection, alert, somebody_here(who).name, note)
    say(f"alert {alert} is acknowledged")


@app.command("handover", epilog="Example: gis alerts handover --since '2026-12-01 07:00'")
def handover_command(
    since: Annotated[str | None, typer.Option(help="Beginning of the shift, local time")] = None,
    as_json: AsJson = False,
) -> None:
    """What the next shift needs to know: open alerts, who has them, what changed, silences.

    Without --since: from the beginning of the shift by the roster, else of twelve hours ago. The
    page at /handover says the same, to be printed.
    """
    from gis.notify.handover import handover
    from gis.notify.roster.shifts import local_moment

    now, begin = datetime.now(UTC), since and local_moment(since)
    layers = _layers(read_layers_at_hand())
    with database_in_use() as database, database.reading() as connection:
        found = handover(connection, layers, now, begin or None)
    record = handover_record(found)
    if as_json:
        print_json(record)
        return
    times = [moment.astimezone(HERE).strftime("%H:%M %d/%m/%Y") for moment in (found.since, now)]
    say(f"Ca trực / shift {times[0]} – {times[1]}")
    for title, rows, empty in (
        ("Người trực / on duty", map(shift_record, found.on_duty), "nobody by the roster"),
        ("Đang mở / open", map(_handed, found.open), "no alert is open"),
        ("Tạm ngưng / silences", map(silence_record, found.silences), "none"),
        ("Diễn biến / what changed", map(_event_row, found.events), "nothing"),
    ):
        say(f"\n{title}")
        print_rows(list(rows), as_json=False, empty=empty)


@app.command("comment", epilog='Example: gis alerts comment 3 "đội đang đến"')
def comment_command(
    alert: AlertId,
    note: Annotated[str, typer.Argument(help="What is to be kept")],
    who: Who = None,
) -> None:
    """Add a remark to the history of an alert."""
    from gis.alerts.actions import comment

    with database_in_use() as database, database.writing() as connection:
        comment(connection, alert, somebody_here(who).name, note)
    say(f"the comment is kept with alert {alert}")


@app.command("approve", epilog='Example: gis alerts approve 3 --confirmed --note "xã báo"')
def approve_command(
    alert: AlertId,
    confirmed: Annotated[bool, typer.Option(help="Somebody has seen that it is true")] = False,
    note: Note = "",
    who: Who = None,
) -> None:
    """Make an alert public: from now on everybody sees it, and its CAP documents."""
    from gis.notify.cap.approval import approve

    with database_in_use() as database, database.writing() as connection:
        approve(connection, alert, somebody_here(who).name, note, confirmed=confirmed)
    say(f"alert {alert} is public")


@app.command("withdraw", epilog='Example: gis alerts withdraw 3 --note "xã đính chính"')
def withdraw_command(alert: AlertId, note: Note = "", who: Who = None) -> None:
    """Take an approval back: the desk alone sees the alert again, and the public hears a Cancel."""
    from gis.notify.cap.approval import withdraw

    with database_in_use() as database, database.writing() as connection:
        withdraw(connection, alert, somebody_here(who).name, note)
    say(f"alert {alert} is no longer public")


@app.command("publish", epilog="Example: gis alerts publish")
def publish_command() -> None:
    """Retry the CAP documents that failed, once their fault is corrected."""
    from gis.notify.cap.publication import retry_undone

    with database_in_use() as database, database.writing() as connection:
        retried = retry_undone(connection)
    say(f"{retried} documents are tried again")


@app.command("resolve", epilog='Example: gis alerts resolve 3 false --note "tập trận"')
def resolve_command(alert: AlertId, outcome: Outcome, note: Note = "", who: Who = None) -> None:
    """End an alert, and say whether it was true; a false alarm needs a note."""
    from gis.alerts.actions import resolve

    with database_in_use() as database, database.writing() as connection:
        resolve(connection, alert, somebody_here(who).name, outcome, note)
    say(f"alert {alert} is {outcome.status}")


@app.command("silence", epilog='Example: gis alerts silence --commune 02647 --hours 8 --why "…"')
def silence_command(
    why: Annotated[str, typer.Option(help="Why nobody is to be notified")],
    hours: Annotated[float, typer.Option(min=0.01, max=LONGEST_HOURS, help="For how long")] = 8,
    layer: Annotated[str | None, typer.Option(help="Alerts of this layer")] = None,
    rule: Annotated[str | None, typer.Option(help="Alerts of this rule")] = None,
    commune: Annotated[
        list[str] | None,
        typer.Option(help="Codes of communes; alerts that reach further are notified"),
    ] = None,
    who: Who = None,
) -> None:
    """Silence alerts for a time: nobody is notified; what is left out stands for any."""
    from gis.alerts.silences import silence

    catalogue = read_layers_at_hand()
    if layer is not None:
        _check_layer(catalogue, layer)
    if rule is not None:
        catalogue.check_rule(rule)
    until = datetime.now(UTC) + timedelta(hours=hours)
    scope = {"layer_id": layer, "rule": rule}
    me = somebody_here(who).name
    with database_in_use() as database, database.writing() as connection:
        stored = silence(connection, who=me, why=why, until=until, communes=commune or (), **scope)
    say(f"silence {stored.id} lasts until {stored.until.astimezone(HERE):%H:%M %d/%m/%Y}")


@app.command("silences", epilog="Example: gis alerts silences")
def silences_command(as_json: AsJson = False) -> None:
    """List the silences in force."""
    from gis.alerts.silences import silences_at

    with database_in_use() as database, database.reading() as connection:
        silences = silences_at(connection, datetime.now(UTC))
    rows = [_silence_row(silence_record(item)) for item in silences]
    print_rows(rows, as_json=as_json, empty="nothing is silenced")


@app.command("unsilence", epilog="Example: gis alerts unsilence 2")
def unsilence_command(
    number: Annotated[int, typer.Argument(metavar="SILENCE", help="Number of the silence")],
    who: Who = None,
) -> None:
    """End a silence: its alerts are notified, if they still hold."""
    from gis.alerts.silences import unsilence

    with database_in_use() as database, database.writing() as connection:
        unsilence(connection, number, somebody_here(who).name)
    say(f"silence {number} is over")


@app.command("precision", epilog="Example: gis alerts precision --days 90")
def precision_command(
    days: Annotated[int, typer.Option(min=1, max=3660, help="Of so many days")] = 365,
    as_json: AsJson = False,
) -> None:
    """Share of alerts that were true, by the answers of those who resolved them."""
    from gis.alerts.precision import precision

    since, catalogue = datetime.now(UTC) - timedelta(days=days), read_layers_at_hand()
    with database_in_use() as database, database.reading() as connection:
        rules = precision(connection, _layers(catalogue), since)
    rows = [_precision_row(precision_record(rule)) for rule in rules]
    print_rows(rows, as_json=as_json, empty="no alert was notified")


@app.command(epilog="Example: gis alerts calibration citizen_reports --month 2026-10")
def calibration(
    layer: OneLayer,
    month: Annotated[
        str | None, typer.Option(help="This month alone, as 2026-10; unset: the last year")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write the QQ plot of the p-values here, as SVG")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a layer's alarms with their budget, over the last year or in a month."""
    from gis.alerts.calibration import last_year, tally
    from layers.detect.budget import budget_of

    check_folder(picture)
    chosen = _layer_with_alerts(layer)
    budget = budget_of(chosen)
    if budget is None:
        raise BadInput(f"layer {layer} has no alarms: there is no section `hotspots` in its file")
    begin = month_from(month) if month else None
    days = (begin, last_day_of(begin)) if begin else last_year(datetime.now(UTC))
    with database_in_use() as database, database.reading() as connection:
        result = tally(connection, budget, *days)
    print_facts(_calibration_facts(result), as_json=as_json)
    if picture is not None:
        _draw(result, chosen.title.vi, begin, picture)


def _draw(result: "Tally", title: str, month: date | None, picture: Path) -> None:
    """Write the QQ plot: of a year one p a fortnight, of a month all."""
    from gis.alerts.plots import month_plot, qq_plot

    if not (result.p_values if month else result.spaced):
        raise BadInput(f"there is nothing to draw yet, so {picture} is not written: run it later")
    drawn = month_plot(result, title, month) if month else qq_plot(result.spaced, f"{title}: p")
    picture.write_text(drawn, encoding="utf-8")


@app.command(
    "backtest", epilog="Example: gis alerts backtest citizen_reports --since 2026-08-01 --json"
)
def backtest_command(
    layer: OneLayer,
    since: Since,
    until: Until = None,
    rule: Annotated[
        str | None,
        typer.Option(
            help="One rule; `scan`, `series`, `held_back` and `undated` are of the alarms"
        ),
    ] = None,
    inject: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT@LON,LAT[:RADIUS km][:DAYS d][:CATEGORY]",
            help="Would the alarms have seen so many more records at the end of that time? Such as "
            "12@104.15,22.05:1.5km:3d:disaster",
        ),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Write an SVG of the alerts here")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay the past: alarms at each report, rules hour by hour; nothing is stored."""
    from gis.alerts.plots import timeline
    from layers.detect.backtest import backtest, by_day
    from layers.detect.injection import Injection

    check_folder(picture)
    chosen, begin = _layer_with_alerts(layer), since.replace(tzinfo=HERE)
    end = until.replace(tzinfo=HERE) if until else datetime.now(UTC)
    with (
        database_in_use() as database,
        database.engine.connect() as connection,
        progress("evaluations") as show,
    ):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        added = Injection.parse(inject) if inject else None
        result = backtest(connection, chosen, begin, end, rule=rule, injection=added, show=show)
    if picture is not None:
        title = f"{chosen.title.vi}: {len(result.alerts)} cảnh báo / alerts"
        picture.write_text(timeline(result.alerts, begin, end, title), encoding="utf-8")
    _print_backtest(result, by_day(result), added, as_json=as_json)


def _print_backtest(
    result: "Backtest",
    days: list[dict[str, object]],
    added: "Injection | None",
    *,
    as_json: bool,
) -> None:
    alerts = [_past_row(past) for past in result.alerts]
    summary = {
        "alerts": len(alerts),
        "alarms_against_budget": result.counted,
        "budget": round(result.allowed, 2),
        "did_not_hold": result.pending,
        "records": result.records,
    }
    if added is not None:
        summary |= _injected(result, added)
    if as_json:
        print_json(summary | {"days": days, "raised": alerts})
        return
    print_rows(alerts, as_json=False, empty="nothing would have been raised")
    if alerts:
        say("")
        print_rows(days, as_json=False, empty="")
    say("")
    print_facts(summary, as_json=False)


def _injected(result: "Backtest", added: "Injection") -> dict[str, Any]:
    """Whether the injected records would have been seen, when, and after how many of them."""
    from layers.detect.backtest import seen_injected

    seen = seen_injected(result, added)
    if seen is None:
        return {"injected": added.count, "seen": False}
    come = sum(at <= seen.opened_at for at in added.times(result.until))
    return {
        "injected": added.count,
        "seen": True,
        "seen_at": seen.opened_at.astimezone(HERE).isoformat(timespec="minutes"),
        "seen_after_records": come,
    }


def _layers(catalogue: "Catalogue") -> list[str]:
    """Ids of all layers: alerts live on while a layer's file has a fault."""
    return [*(layer.id for layer in catalogue.layers), *catalogue.faulty]


def _check_layer(catalogue: "Catalogue", layer_id: str) -> str:
    return layer_id if layer_id in catalogue.faulty else catalogue.get(layer_id).id


def _evidence(
    connection: "Connection", catalogue: "Catalogue", alert: "Alert"
) -> list[dict[str, object]]:
    from gis.access import LOCAL_ADMIN
    from layers.items.evidence import evidence_records

    if alert.layer_id in catalogue.faulty:
        return []
    layer = catalogue.get(alert.layer_id)
    features = evidence_records(connection, layer, alert.records, LOCAL_ADMIN)
    return [_record(layer, feature) for feature in features]


def _layer_with_alerts(layer_id: str) -> "Layer":
    layer = read_layers_at_hand().get(layer_id)
    if layer.alerts is None:
        raise BadInput(f"layer {layer_id} has no section `alerts` in its file")
    return layer


def _record(layer: "Layer", feature: dict[str, Any]) -> dict[str, object]:
    names = ("valid_at", "commune", *layer.public_fields)
    properties = feature["properties"]
    values = {name: properties.get(name) for name in names}
    moments = {name for name in names if name == "valid_at" or _is_moment(layer, name)}
    instants = {name: datetime.fromisoformat(values[name]) for name in moments if values[name]}
    return {"id": feature["id"]} | values | instants


def _is_moment(layer: "Layer", name: str) -> bool:
    from layers.definition.model import FieldType

    return name in layer.public_fields and layer.public_fields[name].type is FieldType.DATETIME


def _row(alert: "Alert") -> Record:
    return select(alert_record(alert), _ROW) | {"communes": _communes(alert)}


def _handed(alert: "Alert") -> Record:
    return _row(alert) | select(alert_record(alert), _HELD)


def _event_row(event: "ShiftEvent") -> Record:
    return {name: getattr(event, name) for name in ("at", "alert_id", "act", "who", "note")}


def _facts(alert: "Alert") -> Record:
    reason = alert.suppressed_why and str(alert.suppressed_why)
    return _row(alert) | select(alert_record(alert), _FACTS) | {"suppressed_why": reason}


def _communes(alert: "Alert") -> str:
    return ", ".join(name for _, name in alert.communes)


def _silence_row(record: Record) -> Record:
    return select(record, _SILENCE) | {"communes": " ".join(record["communes"])}


def _precision_row(record: Record) -> Record:
    low, high = record["interval"]
    share = record["share_true"]
    return select(record, _PRECISION) | {
        "share_true": None if share is None else round(share, 3),
        "interval": f"{low:.2f}–{high:.2f}",
    }


def _calibration_facts(result: "Tally") -> dict[str, object]:
    from gis.alerts.calibration import LEAST_DAYS

    band = "; ".join(english for _, english in result.faults()) or "nothing"
    if not result.judged:
        band = f"unknown: {result.days} days are too few, it needs {LEAST_DAYS}"
    return {
        "days": result.days,
        "days_of_simulated_records_alone": result.simulated_days,
        "alarms_not_found_true": result.alarms,
        "found_true": result.answers.true,
        "found_false": result.answers.false,
        "budget": round(result.allowed, 2),
        "p_values": len(result.p_values),
        "p_at_most_0.05": f"{result.small} of {len(result.spaced)}",
        "any_look_p_at_most_0.05": f"{result.small_at_any_look} of {len(result.spaced_least)}",
        "out_of_band": band,
    }


def _past_row(past: "ReplayedAlert") -> dict[str, object]:
    alert = past.alert
    ended = past.ended_at
    return {
        "opened": past.opened_at.astimezone(HERE).strftime("%Y-%m-%d %H:%M"),
        "ended": ended.astimezone(HERE).strftime("%Y-%m-%d %H:%M") if ended else None,
        "rule": alert.rule,
        "stream": alert.stream,
        "tier": (
            alert.last_notification.tier if alert.last_notification else alert.signal.tier
        ).value,
        "headline": alert.signal.headline_vi,
        "communes": " ".join(alert.signal.communes),
        "told": sum(line.notify for line in past.history),
    }
