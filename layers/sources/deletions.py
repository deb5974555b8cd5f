"""Records that a source has no more: kept, marked or removed, as its layer file says.

Only a reading that saw all of a source tells what is gone. The keys that it saw are kept until its
end, since it may go over several runs.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from gis.errors import AmbiguousInput
from layers.definition.model import FeedSource, Layer
from layers.ingest.addresses import drop_addresses

_SHARE = 0.3  # greatest share of the rows of a source that goes without a question
_FEW = 3  # rows that may go whatever their share


class TooManyGone(AmbiguousInput):
    """More records are gone than a source may lose without a yes."""


def note_seen(connection: Connection, layer: Layer) -> None:
    """Keep the keys of the batch that this transaction has loaded, those that failed too."""
    connection.execute(_NOTE_SEEN, {"layer": layer.id})


def unmark_returned(connection: Connection, layer: Layer) -> None:
    """Take the mark off records that were gone and are in the batch of this transaction."""
    returned = f"""
        FROM layer."{layer.id}" t JOIN pg_temp.incoming i USING (source, source_key)
        WHERE t.provenance ? 'gone'"""
    # A statement raises the layer's version, even if it changes no row.
    ids = list(connection.scalars(text(f"SELECT t.id {returned}")))
    if ids:
        connection.execute(text(_UNMARK.format(table=layer.id)), {"ids": ids})


def drop_unseen(
    connection: Connection,
    layer: Layer,
    feed: FeedSource,
    source: str,
    load: int | None,
    *,
    confirmed: bool,
) -> int:
    """At the end of a whole reading, let go of what it has not seen; gives how many records.

    Raises TooManyGone.
    """
    gone = _gone(connection, layer, "NOT EXISTS (SELECT FROM gis.source_seen n"
                 " WHERE n.layer_id = :layer AND n.source_key = t.source_key)", source)  # fmt: skip
    number = _let_go(connection, layer, feed, source, gone, load, confirmed=confirmed)
    connection.execute(_FORGET_SEEN, {"layer": layer.id})
    return number


def drop_keys(
    connection: Connection,
    layer: Layer,
    feed: FeedSource,
    source: str,
    keys: Sequence[str],
    load: int | None,
    *,
    confirmed: bool,
) -> int:
    """Let go of records that the source itself says are gone; gives how many.

    Raises TooManyGone.
    """
    gone = _gone(connection, layer, "t.source_key = ANY(:keys)", source, list(keys))
    return _let_go(connection, layer, feed, source, gone, load, confirmed=confirmed)


def _gone(
    connection: Connection, layer: Layer, condition: str, source: str, keys: list[str] | None = None
) -> list[int]:
    """Ids of rows that are gone and are not known to be."""
    statement = text(
        f'SELECT t.id FROM layer."{layer.id}" t WHERE t.source = :source AND {condition}'  # noqa: S608
        " AND NOT t.provenance ? 'gone' ORDER BY t.id"
    )
    values = {"source": source, "layer": layer.id, "keys": keys or []}
    return list(connection.scalars(statement, values))


def _let_go(
    connection: Connection,
    layer: Layer,
    feed: FeedSource,
    source: str,
    gone: list[int],
    load: int | None,
    *,
    confirmed: bool,
) -> int:
    if not gone or feed.deletions == "keep":
        return 0
    stored = connection.scalar(
        text(f'SELECT count(*) FROM layer."{layer.id}" WHERE source = :source'),  # noqa: S608
        {"source": source},
    )
    # What is only marked comes back unmarked with the next reading that has it.
    is_lost = feed.deletions == "mirror" and len(gone) > max(_FEW, _SHARE * (stored or 0))
    if is_lost and not confirmed:
        raise TooManyGone(
            f"{len(gone)}/{stored} bản ghi của nguồn “{source}” không còn ở nguồn. Chưa bỏ gì. "
            f"Đúng vậy: gis sources answer {layer.id} --yes / {len(gone)} of the {stored} records "
            f"of the source “{source}” are not there any more. Nothing was removed. If that is "
            f"right, answer with gis sources answer {layer.id} --yes"
        )
    values = {"ids": gone, "layer": layer.id, "who": f"source {source}", "load": load}
    act = "update" if feed.deletions == "mark" else "delete"
    connection.execute(text(_KEEP.format(table=layer.id)), values | {"act": act})
    statement = _MARK if feed.deletions == "mark" else _DELETE
    connection.execute(text(statement.format(table=layer.id)), values)
    if feed.deletions == "mirror":
        drop_addresses(connection, layer)
    return len(gone)


_NOTE_SEEN = text("""
INSERT INTO gis.source_seen (layer_id, source_key)
SELECT :layer, source_key FROM pg_temp.incoming
UNION SELECT :layer, source_key FROM pg_temp.incoming_failed
ON CONFLICT DO NOTHING
""")
_FORGET_SEEN = text("DELETE FROM gis.source_seen WHERE layer_id = :layer")
_KEEP = """
INSERT INTO gis.row_history (layer_id, row_id, act, who, before, load_id)
SELECT :layer, t.id, :act, :who,
       to_jsonb(t) - 'geom' || jsonb_build_object('geom', encode(ST_AsEWKB(t.geom), 'hex')), :load
FROM layer."{table}" t WHERE t.id = ANY(:ids)"""
_DELETE = 'DELETE FROM layer."{table}" WHERE id = ANY(:ids)'
_UNMARK = """
UPDATE layer."{table}" SET updated_at = now(), provenance = provenance - 'gone'
WHERE id = ANY(:ids)"""
_MARK = """
UPDATE layer."{table}" SET updated_at = now(),
  provenance = provenance || jsonb_build_object('gone', now()) WHERE id = ANY(:ids)"""
