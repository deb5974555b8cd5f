"""Maintenance of alerts each second, beside the runs of detectors."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import BigInteger, Connection, any_, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from gis.alerts.calibration import RULE, calibration_findings, last_year, tally
from gis.alerts.engine import AlertState, local_day
from gis.alerts.timers import advance_alerts
from gis.alerts.units import follow_due
from gis.alerts.updates import apply_findings
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect.budget import budget_of
from layers.detect.thresholds import boundaries_are_official, evaluate_rules
from layers.storage.tables import table_of


def advance_all(
    database: Database, catalogue: Catalogue, now: datetime, rasters: Path | None = None
) -> None:
    """Follow decrees of the day, look at the threshold rules that are due, escalate, silence and
    release, and judge each layer's calibration once a day. `rasters`: the folder of their files.
    """
    follow_decrees(database, now)
    evaluate_rules(database, catalogue, now, rasters)
    policies = {each.id: each.alerts.policy() for each in catalogue.layers if each.alerts}

    def outdated(connection: Connection, alert: AlertState) -> bool:
        return is_outdated(connection, catalogue, alert)

    with database.writing() as connection:
        advance_alerts(connection, policies, now, outdated)
    for layer in catalogue.layers:
        judge_calibration(database, layer, now)


def follow_decrees(database: Database, now: datetime) -> None:
    """Carry alerts over to the communes of decrees whose day has begun."""
    with database.reading() as connection:
        due = connection.scalar(_DECREE_IS_DUE, {"day": local_day(now)})
    if due:
        with database.writing() as connection:
            follow_due(connection, local_day(now))


_DECREE_IS_DUE = text("""SELECT EXISTS (SELECT FROM gis.unit_succession WHERE "on" <= :day)""")


def is_outdated(connection: Connection, catalogue: Catalogue, alert: AlertState) -> bool:
    """True where evidence of an alert was deleted, or changed since its stream was evaluated."""
    layer = next((one for one in catalogue.layers if one.id == alert.layer_id), None)
    records = set(alert.signal.records)
    if layer is None or layer.is_view or not records:
        return False
    of = table_of(layer)
    names = {"layer": alert.layer_id, "rule": alert.rule, "stream": alert.stream}
    seen = connection.scalar(_SEEN_BEFORE_CHANGE, names)
    if seen is None:
        return False
    ids = literal(list(records), ARRAY(BigInteger()))
    unchanged = select(func.count()).where(of.c.id == any_(ids), of.c.updated_at <= seen)
    return connection.execute(unchanged).scalar_one() < len(records)


# The end of a stream's latest evaluation, where its layer has changed since: by the version that
# the run read, since rows may be stored after the moment for which it was asked; rules have no run.
_SEEN_BEFORE_CHANGE = text("""
SELECT max(k.until) AS seen
FROM gis.alert_evaluation k JOIN gis.layer l ON l.id = k.layer_id
LEFT JOIN gis.hotspot_run r ON r.id = k.run_id
WHERE k.layer_id = :layer AND k.rule = :rule AND k.stream = :stream
GROUP BY l.version, l.changed_at
HAVING coalesce(max(r.input_version) < l.version, max(k.until) < l.changed_at)
""")


def judge_calibration(database: Database, layer: Layer, now: datetime) -> bool:
    """Judge today; False where it was done before, or is not due."""
    budget = budget_of(layer)
    if budget is None or layer.alerts is None:
        return False
    with database.reading() as connection:
        if _judged(connection, layer, now):
            return False
    with database.writing() as connection:
        tallied = tally(connection, budget, *last_year(now))
        titles, policy = (layer.title.vi, layer.title.en), layer.alerts.policy()
        official = boundaries_are_official(connection)
        found = calibration_findings(tallied, titles, policy, now, official=official)
        apply_findings(connection, found, now)
    return True


def _judged(connection: Connection, layer: Layer, now: datetime) -> bool:
    looked = text(
        "SELECT EXISTS (SELECT FROM gis.alert_evaluation"
        " WHERE layer_id = :layer AND rule = :rule AND day = :day)"
    )
    values = {"layer": layer.id, "rule": RULE, "day": local_day(now)}
    return bool(connection.scalar(looked, values))
