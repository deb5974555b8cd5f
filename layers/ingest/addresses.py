"""Addresses of records that were placed by them or by a commune's name, kept in schema private.

A layer file need not declare its address column, and an address may tell who lives there; yet when
the gazetteer has grown, only its words can place the record more exactly.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from layers.definition.model import Layer


def keep_addresses(
    connection: Connection,
    layer: Layer,
    source: str,
    keys: Sequence[str],
    addresses: Sequence[str],
    *,
    overwrites: bool = True,
) -> None:
    """Keep the address of each record, by its key; `overwrites`: in the place of an earlier one."""
    if keys:
        values = {"layer": layer.id, "source": source, "keys": keys, "addresses": addresses}
        connection.execute(_KEEP, values | {"overwrites": overwrites})


def drop_addresses(connection: Connection, layer: Layer) -> None:
    """Delete the addresses of records that the layer does not hold, or holds by coordinates."""
    table = f'layer."{layer.id}"'
    connection.execute(text(_DROP.format(table=table)), {"layer": layer.id})


_KEEP = text("""
INSERT INTO private.address AS a (layer_id, source, source_key, address)
SELECT :layer, :source, key, address
FROM unnest(CAST(:keys AS text[]), CAST(:addresses AS text[])) AS given (key, address)
ON CONFLICT (layer_id, source, source_key) DO UPDATE SET address = excluded.address
WHERE :overwrites AND a.address <> excluded.address
""")
_DROP = """
DELETE FROM private.address a
WHERE layer_id = :layer AND NOT EXISTS (
  SELECT FROM {table} t WHERE t.source = a.source AND t.source_key = a.source_key
  AND t.place_method IN ('address', 'commune'))
"""
