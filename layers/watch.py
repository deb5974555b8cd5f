"""Hotspots follow the data: a layer whose rows changed is analysed anew within a second or two."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import text

from gis.database.engine import Database
from gis.repeating import repeating
from layers.catalogue import Catalogue
from layers.following import published_catalogue
from layers.hotspots import run_hotspots
from layers.model import Layer

log = structlog.get_logger("watch")

# Layers whose rows changed since the newest run on them, or whose run is a day old.
_STALE = text("""
SELECT l.id FROM gis.layer l
LEFT JOIN LATERAL (SELECT input_version, run_at FROM gis.hotspot_run r WHERE r.layer_id = l.id
                   ORDER BY r.id DESC LIMIT 1) AS newest ON true
WHERE l.id = ANY(:layers)
  AND (newest.input_version IS DISTINCT FROM l.version OR newest.run_at < now() - interval '1 day')
""")


def stale_layers(database: Database, catalogue: Catalogue) -> list[Layer]:
    """Layers with hotspots whose newest run does not know their newest rows."""
    wanted = {layer.id: layer for layer in catalogue.layers if layer.hotspots}
    with database.reading() as connection:
        rows = connection.execute(_STALE, {"layers": list(wanted)})
        return [wanted[row.id] for row in rows]


@contextmanager
def watching(database: Database, folder: Path, catalogue: Catalogue) -> Iterator[None]:
    """While inside, hotspots and alerts are kept up to date, by the layer files as published."""
    known = catalogue

    def analyse() -> None:
        nonlocal known
        known = published_catalogue(database, folder, known)
        for layer in stale_layers(database, known):
            report = run_hotspots(database, layer, datetime.now(UTC))
            log.info("hotspots", layer=layer.id, hot=report.hot, records=report.records)

    with repeating("hotspots", analyse):
        yield
