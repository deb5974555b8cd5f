"""Schedule of rules: evaluated when rows changed, and each minute, as time passes; those of risk
when rasters changed, and each hour.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import BigInteger, Connection, Row, any_, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from gis.alerts.findings import Evidence, Findings
from gis.alerts.store import last_evaluation, live_keys, live_records, live_since
from gis.alerts.updates import apply_findings
from gis.database.engine import Database
from gis.errors import GisError, Unavailable
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer, RiskRule, RowRule, ThresholdRule
from layers.detect.thresholds.evaluation import find_beyond
from layers.series.rules import corrected_stations
from layers.storage.tables import table_of

log = structlog.get_logger("thresholds")

EVERY, RISK_EVERY = timedelta(minutes=1), timedelta(hours=1)

# The newest evaluation of each rule.
_NEWEST = text("""
SELECT DISTINCT ON (k.layer_id, k.rule) k.layer_id, k.rule, k.evaluated_at,
       k.version IS NOT DISTINCT FROM l.version AS knows_rows
FROM gis.alert_evaluation k JOIN gis.layer l ON l.id = k.layer_id
WHERE k.layer_id = ANY(:layers) AND k.stream = ''
ORDER BY k.layer_id, k.rule, k.evaluated_at DESC
""")


def evaluate_rules(
    database: Database, catalogue: Catalogue, now: datetime, rasters: Path | None = None
) -> list[str]:
    """Evaluate the rules that are due and update their alerts; gives `layer rule` of each.

    Each rule has a transaction of its own: one that fails is logged, and the others go on.
    `rasters`: the folder of their files; without it no rule of risk is evaluated.
    """
    with database.reading() as connection:
        due = due_rules(connection, catalogue, now)
    evaluated = []
    for layer, rule in due:
        if isinstance(rule, RiskRule):
            done = rasters is not None and _evaluate_risk(
                database, catalogue, layer, rule, now, rasters
            )
        else:
            done = _evaluate(database, layer, rule, now)
        if done:
            evaluated.append(f"{layer.id} {rule.id}")
    return evaluated


def due_rules(
    connection: Connection, catalogue: Catalogue, now: datetime
) -> list[tuple[Layer, ThresholdRule]]:
    """Rules that were never evaluated, not since the rows changed, or not for a minute."""
    ruled = [layer for layer in catalogue.layers if layer.alerts and layer.alerts.rules]
    if not ruled:
        return []
    rows = connection.execute(_NEWEST, {"layers": [layer.id for layer in ruled]})
    newest = {(row.layer_id, row.rule): row for row in rows}
    changed = {row.id: row.changed_at for row in connection.execute(_RASTERS)}

    def is_fresh(rule: ThresholdRule, evaluation: Row[Any] | None) -> bool:
        if evaluation is None:
            return False
        at = evaluation.evaluated_at
        if isinstance(rule, RiskRule):
            of_it = [changed.get(name) for name in (rule.rain, rule.susceptibility)]
            return at > now - RISK_EVERY and all(each is None or each < at for each in of_it)
        return bool(evaluation.knows_rows and at > now - EVERY)

    return [
        (layer, rule)
        for layer in ruled
        if layer.alerts
        for rule in layer.alerts.rules
        if not is_fresh(rule, newest.get((layer.id, rule.id)))
    ]


_RASTERS = text("SELECT id, changed_at FROM gis.raster_layer WHERE published")


def _evaluate_risk(
    database: Database,
    catalogue: Catalogue,
    layer: Layer,
    rule: RiskRule,
    now: datetime,
    rasters: Path,
) -> bool:
    from layers.detect.thresholds.risk import find_risk

    try:
        with database.writing() as connection:
            found = find_risk(connection, catalogue, layer, rule, now, rasters)
            apply_findings(connection, found, now)
    except GisError as error:
        log.error(
            "a rule of risk could not be evaluated", layer=layer.id, rule=rule.id, why=str(error)
        )
        return False
    except Exception:
        log.exception("a rule of risk could not be evaluated", layer=layer.id, rule=rule.id)
        return False
    return True


def _evaluate(database: Database, layer: Layer, rule: RowRule, now: datetime) -> bool:
    try:
        with database.writing() as connection:
            live = live_keys(connection, layer.id, rule.id)
            findings = find_beyond(connection, layer, rule, now, live)
            gone = _gone(connection, layer, rule, findings, now)
            apply_findings(connection, replace(findings, evidence=Evidence(gone)), now)
    except Unavailable:  # the same for all
        raise
    except Exception:
        log.exception("a rule could not be evaluated", layer=layer.id, rule=rule.id)
        return False
    return True


def _gone(
    connection: Connection, layer: Layer, rule: ThresholdRule, findings: Findings, now: datetime
) -> frozenset[int]:
    """Evidence of the rule's alerts that was deleted, or changed since the last evaluation; of
    measurements the stations whose measurements were corrected.
    """
    known = live_records(connection, layer.id, findings.rule)
    if not known:
        return known
    table, before = table_of(layer), last_evaluation(connection, findings, now)
    if layer.series is not None:  # whose rows change with each measurement
        quantity, since = getattr(rule, "field", None), live_since(connection, layer.id, rule.id)
        if quantity is None or before is None:
            return frozenset()
        return corrected_stations(connection, layer, quantity, since, before)
    unchanged = select(table.c.id).where(
        table.c.id == any_(literal(list(known), ARRAY(BigInteger())))
    )
    if before is not None and "updated_at" in table.c:
        unchanged = unchanged.where((table.c.updated_at <= before) | (table.c.updated_at > now))
    return known - frozenset(connection.execute(unchanged).scalars())
