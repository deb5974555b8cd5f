"""Findings become alerts, inside the caller's transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gis.alerts.deciding import Step, decide, settle
from gis.alerts.findings import Findings
from gis.alerts.muting import Muting
from gis.alerts.policy import Policy
from gis.alerts.silences import silences_at
from gis.alerts.states import Act
from gis.alerts.store import (
    alerts_of_stream,
    live_alerts,
    lock_alerts,
    newest_look,
    note_look,
    write_step,
)


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """The numbers of the alerts that a look opened, gave other evidence, and closed."""

    opened: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()


def apply_findings(
    connection: Connection, found: Findings, now: datetime | None = None, *, alone: bool = False
) -> AlertChanges:
    """Open, update, suppress, release and close the alerts of a stream.

    A look that ends before one already applied changes nothing: what is newer has decided.
    `alone`: the layer's other alerts stay as they are, since the policy is not the layer's.
    """
    now = now or datetime.now(UTC)
    lock_alerts(connection, found.layer_id)
    newest = newest_look(connection, found, now)
    if newest is not None and found.until < newest:
        return AlertChanges()
    muting = muting_of(connection, found.layer_id, found.policy, now)
    steps = decide(alerts_of_stream(connection, found), found, muting.why, now)
    written = [(write_step(connection, step, now), step) for step in steps]
    note_look(connection, found, now)
    if not alone:
        written += settled(connection, found.layer_id, found.policy, now)
    return _changes(written)


def settled(
    connection: Connection, layer_id: str, policy: Policy, now: datetime
) -> list[tuple[int, Step]]:
    """Suppress and release the layer's alerts by what holds now."""
    muting = muting_of(connection, layer_id, policy, now)
    steps = settle(muting.alerts, muting.why, policy, now)
    return [(write_step(connection, step, now), step) for step in steps]


def muting_of(connection: Connection, layer_id: str, policy: Policy, now: datetime) -> Muting:
    alerts = tuple(live_alerts(connection, layer_id))
    return Muting(silences_at(connection, now), alerts, policy.inhibit)


def _changes(written: Iterable[tuple[int, Step]]) -> AlertChanges:
    done = list(written)

    def numbers(wanted: Callable[[Step], bool]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for number, step in done if wanted(step)))

    return AlertChanges(
        opened=numbers(lambda step: step.act is Act.OPEN),
        updated=numbers(lambda step: step.act in (Act.UPDATE, Act.NOTIFY)),
        closed=numbers(lambda step: step.act is Act.EXPIRED),
    )
