"""Version of a mapping: what a layer file said of source and fields when records were loaded."""

import hashlib

import orjson
from sqlalchemy import Connection, text

from layers.definition.model import Layer


def mapping_version(connection: Connection, layer: Layer) -> str:
    """The digest of the layer's mapping (12 hexadecimal digits), which is stored with its text."""
    content = layer.model_dump_json(include={"source", "fields", "geometry", "placed"})
    canonical = orjson.dumps(orjson.loads(content), option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(canonical).hexdigest()[:12]
    values = {"layer": layer.id, "digest": digest, "content": canonical.decode()}
    connection.execute(_ENTER, values)
    return digest


_ENTER = text("""
INSERT INTO gis.layer_mapping (layer_id, digest, content)
VALUES (:layer, :digest, CAST(:content AS jsonb)) ON CONFLICT DO NOTHING
""")
