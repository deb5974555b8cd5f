"""Redaction of a field that becomes personal: its values move to schema private."""

from sqlalchemy import Connection, text

from layers.definition.model import LayerField
from layers.storage.tables import SCHEMA

_KEEP = """
INSERT INTO private.reporter (layer_id, source, source_key, details)
SELECT :layer, source, source_key, jsonb_build_object(CAST(:field AS text), {value})
FROM {rows} WHERE {value} IS NOT NULL
ON CONFLICT (layer_id, source, source_key)
DO UPDATE SET details = reporter.details || excluded.details
"""

# Quarantine holds records by the columns of their file, the reporter by the layer's fields.
_KEEP_QUARANTINED = text(
    _KEEP.format(
        value="nullif(raw->>CAST(:column AS text), '')",
        rows="(SELECT * FROM gis.quarantine WHERE layer_id = :layer) AS quarantined",
    )
)
_CLEAN_QUARANTINE = text(
    "UPDATE gis.quarantine SET raw = raw - CAST(:column AS text),"
    " said = CASE said WHEN md5(raw::text) THEN md5((raw - CAST(:column AS text))::text)"
    "        ELSE said END WHERE layer_id = :layer"
)
# Corrections quote values; a rule that goes by a personal column would go on doing so.
_CLEAN_CORRECTIONS = (
    text(
        "UPDATE gis.corrected_record r SET before = before - CAST(:column AS text)"
        " FROM gis.correction c WHERE c.id = r.correction_id AND c.layer_id = :layer"
    ),
    text(
        "UPDATE gis.correction SET changes = changes - CAST(:column AS text),"
        " matched = CASE WHEN matched ? CAST(:column AS text) THEN NULL ELSE matched END"
        " WHERE layer_id = :layer"
    ),
)
# The reason of a record quotes the value that could not be read.
_CLEAN_REASONS = text("""
UPDATE gis.quarantine SET why = :words
WHERE layer_id = :layer
  AND (position(CAST(:column AS text) || ':' IN why) > 0
       OR raw ->> CAST(:column AS text) <> ''
          AND position(left(raw ->> CAST(:column AS text), 12) IN why) > 0)
""")
# So do answers to bodies, and jobs that a question about a body has ended.
_CLEAN_ANSWERS = (
    text("""
    UPDATE gis.pushed SET answer = answer || jsonb_build_object('notes', '[]'::jsonb, 'failed', (
      SELECT coalesce(jsonb_agg(each || jsonb_build_object('why', CAST(:words AS text))), '[]')
      FROM jsonb_array_elements(answer -> 'failed') AS each))
    WHERE layer_id = :layer
    """),
    text("""
    UPDATE gis.job SET error = :words
    WHERE error <> '' AND id IN (SELECT job FROM gis.pushed WHERE layer_id = :layer)
    """),
)
# History holds rows by the layer's fields; former values are removed, not moved.
_CLEAN_HISTORY = text(
    "UPDATE gis.row_history SET before = before - CAST(:field AS text) WHERE layer_id = :layer"
)


def hide_field(
    connection: Connection, layer_id: str, name: str, field: LayerField, *, has_column: bool
) -> None:
    """Move the values of a field to private.reporter: of rows and of records in quarantine.

    They are removed from reasons in quarantine, answers to bodies, corrections and the history of
    rows.
    """
    names = {"layer": layer_id, "field": name, "column": field.column or name}
    connection.execute(_KEEP_QUARANTINED, names)
    reason = f"{names['column']}: nay là dữ liệu cá nhân / is personal by now; a replay says more"
    connection.execute(_CLEAN_REASONS, names | {"words": reason})
    for statement in _CLEAN_ANSWERS:
        connection.execute(statement, names | {"words": reason})
    connection.execute(_CLEAN_QUARANTINE, names)
    for statement in _CLEAN_CORRECTIONS:
        connection.execute(statement, names)
    connection.execute(_CLEAN_HISTORY, names)
    if has_column:
        table = f'{SCHEMA}."{layer_id}"'
        connection.execute(text(_KEEP.format(value=f'"{name}"', rows=table)), names)
        connection.exec_driver_sql(f'ALTER TABLE {table} DROP COLUMN "{name}"')
