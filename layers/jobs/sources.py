"""Rounds of sources: when one is due, and whether promises are kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from gis.alerts.freshness import close_stale_alert, raise_stale_alert
from gis.connectors.connector import Surroundings
from gis.database.engine import Database
from gis.egress import EgressPolicy, networks_of
from gis.jobs.queue import enqueue
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import AlertOptions, Layer
from layers.detect.thresholds import boundaries_are_official
from layers.sources.state import due_sources, enter_sources, feeds_of

SOURCES = "sources"  # the kind of its jobs


def surroundings_of(settings: Settings) -> Surroundings:
    """What connectors are lent by the settings."""
    secrets = {name: each.get_secret_value() for name, each in settings.source_secrets.items()}
    networks = networks_of(settings.source_networks)
    demo = frozenset({settings.demo_address} if settings.demo_address else ())
    policy = EgressPolicy(networks, "GIS_SOURCE_NETWORKS", demo)
    return Surroundings(secrets, policy, settings.inbox_folder)


class SourceScheduler:
    """What the leader does for sources, by its memory of the layer files."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entered: Sequence[Layer] | None = None

    def queue_round(self, catalogue: Catalogue) -> bool:
        """Queue a round where a source is due; gives whether it is new."""
        if catalogue.layers is not self._entered:
            with self._database.writing() as connection:
                enter_sources(connection, catalogue.layers)
            self._entered = catalogue.layers
        with self._database.reading() as connection:
            is_queued = connection.scalar(_IS_QUEUED) is not None
            if is_queued or not feeds_of(catalogue.layers).keys() & due_sources(connection):
                return False
        with self._database.writing() as connection:
            return enqueue(connection, SOURCES, key=SOURCES, most_attempts=3) is not None

    def judge_promises(self, catalogue: Catalogue, now: datetime | None = None) -> None:
        """Raise and close alerts of promises that are missed, or kept again."""
        now = now or datetime.now(UTC)
        with self._database.reading() as connection:
            changed = connection.execute(_CHANGED, {"now": now}).all()
        layers = {layer.id: layer for layer in catalogue.layers}
        for row in changed:
            with self._database.writing() as connection:
                if row.layer_id in layers:
                    _judge(connection, layers[row.layer_id], row, now)
                else:  # its file is gone, and nobody waits for it
                    connection.execute(_SET_MISSED, {"layer": row.layer_id, "since": None})


def _judge(connection: Connection, layer: Layer, row: object, now: datetime) -> None:
    policy = (layer.alerts or AlertOptions()).policy()
    is_missed, since = row.is_missed, row.fresh_until  # type: ignore[attr-defined]
    values = {"layer": layer.id, "since": since if is_missed else None}
    connection.execute(_SET_MISSED, values)
    if not is_missed:
        close_stale_alert(connection, layer.id, policy, now)
        return
    raise_stale_alert(
        connection,
        layer.id,
        (layer.title.vi, layer.title.en),
        (layer.department.vi, layer.department.en),
        policy,
        since,
        row.last_success,  # type: ignore[attr-defined]
        now,
        official=boundaries_are_official(connection),
        simulated=row.simulated,  # type: ignore[attr-defined]
    )


_IS_QUEUED = text("SELECT id FROM gis.job WHERE key = 'sources' AND state IN ('queued', 'running')")
_CHANGED = text("""
SELECT layer_id, fresh_until, last_success, simulated, is_missed
FROM (SELECT *, active AND paused_at IS NULL AND coalesce(fresh_until < :now, false) AS is_missed
      FROM gis.source) AS s
WHERE is_missed <> (missed_since IS NOT NULL)
ORDER BY layer_id
""")
_SET_MISSED = text("UPDATE gis.source SET missed_since = :since WHERE layer_id = :layer")
