"""Recipients that layer files name, held against the subscriptions there are."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches

from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.notify.channels import CHANNELS
from gis.notify.roster.file import LayerWords
from gis.notify.subscriptions import ON_DUTY, notify_senders
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer

# Recipients of published files, and whether a subscription of that name gets alerts of the layer.
_NAMED = text("""
SELECT DISTINCT l.id, entry ->> 'who' AS who, s.id IS NOT NULL AS known
FROM gis.layer l
CROSS JOIN jsonb_array_elements(l.definition #> '{alerts,recipients}') AS entry
LEFT JOIN gis.subscription s ON s.ended_at IS NULL
  AND (s.name = entry ->> 'who' OR entry ->> 'who' = 'on-duty' AND s.on_duty)
WHERE l.published
  AND (s.id IS NULL
       OR l.definition #>> '{access,read}' = 'private'
          AND NOT (s.by_admin AND l.id = ANY(s.layers)))
ORDER BY l.id, who
""")


def follow_files(database: Database) -> list[str]:
    """Notify recipients that published files newly name of open alerts; gives the missing ones.

    In a transaction of its own: the lock that it takes keeps all alerts waiting.
    """
    with database.writing() as connection:
        notify_senders(connection)
        return missing_recipients(connection)


def missing_recipients(connection: Connection, *, but_of: Collection[str] = ()) -> list[str]:
    """Recipients that are not subscribed, but for those of some layers: a sentence each, with what
    would correct it.
    """
    return list(_sentences(connection, but_of))


def layers_with_alerts(catalogue: Catalogue) -> tuple[LayerWords, ...]:
    """The layers that raise alerts, as a duty roster may name them; private ones are left out."""
    return tuple(
        LayerWords(
            id=layer.id,
            titles=(layer.title.vi, layer.title.en),
            categories=_categories(layer),
        )
        for layer in catalogue.layers
        if layer.alerts is not None and layer.access.read != "private"
    )


def _categories(layer: Layer) -> dict[str, tuple[str, ...]]:
    name = layer.hotspots.category if layer.hotspots else None
    if name is None:
        return {}
    values = layer.fields[name].values or {}
    return {code: (label.vi, label.en) for code, label in values.items()}


def _sentences(connection: Connection, but_of: Collection[str]) -> Iterator[str]:
    names = list(connection.scalars(_NAMES))
    for layer_id, who, known in connection.execute(_NAMED):
        if layer_id in but_of:
            continue
        yield f"{layer_id}.yaml notifies {who}, " + (
            "whose subscription does not name this private layer: an administrator adds it with "
            f"--layer {layer_id}"
            if known
            else f"which is no subscription{_near(who, names)}"
        )


def _near(who: str, names: Sequence[str]) -> str:
    if who == ON_DUTY:
        return ": nobody's follows the roster yet; gis subscriptions add … --on-duty"
    best = get_close_matches(who, names, n=1)
    if best:
        return f"; did you mean {best[0]}?"
    channels = ", or ".join(f"{name} …" for name in CHANNELS)
    return f": gis subscriptions add {shlex.quote(who)} {channels}"


_NAMES = text("SELECT name FROM gis.subscription WHERE ended_at IS NULL ORDER BY id")
