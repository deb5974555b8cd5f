"""Records that later ones replace, as a permit does another: they leave the layer, and stay in its
history. A source that goes on sending them does not bring them back.
"""

from sqlalchemy import Connection, text

from layers.definition.model import FeedSource, Layer


def leave_out_superseded(connection: Connection, layer: Layer, source: str, load: int) -> None:
    """Note which records the staged ones replace, and leave those out of what is merged."""
    field = _field(layer)
    if field is None:
        return
    values = {"layer": layer.id, "source": source, "load": load}
    connection.execute(text(_NOTE.format(field=field)), values)
    connection.execute(_FORGET_CIRCLES, values)
    connection.execute(_LEAVE_OUT, values)


def remove_superseded(
    connection: Connection, layer: Layer, source: str, who: str, load: int
) -> int:
    """Remove stored records that were replaced, with their history; gives how many."""
    if _field(layer) is None:
        return 0
    values = {"layer": layer.id, "source": source, "load": load, "who": who}
    number = connection.execute(text(_KEEP.format(layer=layer.id)), values).rowcount
    if number:
        connection.execute(text(_REMOVE.format(layer=layer.id)), values)
    return number


def _field(layer: Layer) -> str | None:
    return layer.source.supersedes if isinstance(layer.source, FeedSource) else None


_NOTE = """
INSERT INTO gis.superseded (layer_id, source, source_key, by_key, load_id)
SELECT DISTINCT ON (CAST(i."{field}" AS text))
  :layer, :source, CAST(i."{field}" AS text), i.source_key, nullif(:load, 0)
FROM pg_temp.incoming i
WHERE i."{field}" IS NOT NULL AND CAST(i."{field}" AS text) NOT IN ('', i.source_key)
ORDER BY CAST(i."{field}" AS text), i.source_key
ON CONFLICT (layer_id, source, source_key) DO NOTHING"""
# Two records that replace each other: neither does.
_FORGET_CIRCLES = text("""
DELETE FROM gis.superseded s USING gis.superseded o
WHERE (s.layer_id, s.source) = (:layer, :source) AND (o.layer_id, o.source) = (:layer, :source)
  AND s.source_key = o.by_key AND o.source_key = s.by_key
""")
_OF_INCOMING = """
FROM gis.superseded s
WHERE (s.layer_id, s.source) = (:layer, :source) AND s.source_key = """
_LEAVE_OUT = text(
    f"DELETE FROM pg_temp.incoming i WHERE EXISTS (SELECT {_OF_INCOMING} i.source_key)"  # noqa: S608
)
_ROWS = f"""
layer."{{layer}}" t WHERE t.source = :source AND EXISTS (SELECT {_OF_INCOMING} t.source_key)"""
_KEEP = f"""
INSERT INTO gis.row_history (layer_id, row_id, act, who, before, load_id)
SELECT :layer, t.id, 'delete', :who,
       to_jsonb(t) - 'geom' || jsonb_build_object('geom', encode(ST_AsEWKB(t.geom), 'hex')), :load
FROM {_ROWS}"""  # noqa: S608 (names of our own)
_REMOVE = f"DELETE FROM {_ROWS}"  # noqa: S608
