"""Comments on tables, views and columns of schema `layer`, in Vietnamese and English.

Who reads with SQL, or with QGIS on the database, sees there what the layer file says.
"""

from collections.abc import Iterator
from typing import Final

from psycopg.sql import SQL, Composed, Identifier, Literal
from sqlalchemy import Connection, text

from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer, LayerField
from layers.storage.tables import (
    SCHEMA,
    has_hex_cover,
    has_unit_shares,
    hex_cover_of,
    unit_shares_of,
)

type Comments = dict[tuple[str, str], str]

_OWN: Final = {
    "id": "Số của bản ghi trong lớp / Number of the record in the layer",
    "geom": "Hình, EPSG:4326, kinh độ trước; rỗng khi vị trí chỉ biết đến xã / "
    "Geometry, EPSG:4326, longitude first; null where the place is known to the commune alone",
    "h3": "Ô lục giác H3, độ phân giải 11; gis.h3_text viết nó thành chữ / H3 cell, resolution 11; "
    "gis.h3_text gives its text",
    "commune": "Mã xã, phường hiện nay (layer.communes) / Code of the commune of today",
    "unit_then": "Mã xã, phường vào ngày xảy ra; mã được dùng lại, nên đọc cùng ngày / Code of the "
    "commune of its day; codes are used again, so read it with the day",
    "place_method": "Cách xác định vị trí / How it was placed: coordinates, address, commune…",
    "place_confidence": "Độ tin cậy của vị trí, 0–1 / Confidence of the place, 0–1",
    "place_precision_m": "Độ chính xác của vị trí, mét / Precision of the place, metres",
    "default_point": "Nằm ở điểm mặc định của bộ tìm địa chỉ: không tính vào ô lục giác / "
    "Sits on a geocoder's default point: counts in no hex",
    "valid_at": "Thời điểm xảy ra / When it happened",
    "valid_from": "Ngày đầu tiên có hiệu lực / First day on which it holds",
    "valid_to": "Ngày đầu tiên hết hiệu lực; rỗng khi còn hiệu lực / First day on which it "
    "no longer holds; null while it does",
    "updated_at": "Bản ghi thay đổi lần cuối / When the record last changed",
    "source": "Nguồn / Source",
    "source_key": "Khóa của bản ghi trong nguồn / Key of the record in its source",
    "provenance": "Nguồn gốc: lần nạp, dòng của tệp, mô phỏng / Load, line of the file, simulated",
}  # fmt: skip
_SHARES: Final = {
    "": "Các xã, phường hiện nay chứa một phần của mỗi bản ghi của {title} / Communes of today "
    "that hold a part of each record",
    "id": "Số của bản ghi / Number of the record",
    "commune": "Mã xã, phường hiện nay / Code of the commune of today",
    "share": "Phần chiều dài hay diện tích ở đó, 0–1 / Share of its length or area there, 0–1",
}
_COVER: Final = {
    "": "Các ô lục giác chứa một phần của mỗi bản ghi của {title}, ở từng độ phân giải / "
    "Hexes that hold a part of each record, at each resolution",
    "id": "Số của bản ghi / Number of the record",
    "cell": "Ô H3 / H3 cell",
    "share": "Phần chiều dài hay diện tích ở đó, 0–1 / Share of its length or area there, 0–1",
    "size": "Chiều dài (m) hay diện tích (m²) ở đó / Length (m) or area (m²) there",
}


def comment_on_layers(connection: Connection, catalogue: Catalogue) -> None:
    """Write the comments that differ from those there are; of what exists alone."""
    rows = connection.execute(_EXISTING).all()
    existing: Comments = {(row.relation, row.attribute): row.words or "" for row in rows}
    views = {row.relation for row in rows if row.kind == "v"}
    wanted: Comments = {}
    for layer in catalogue.layers:
        wanted |= _comments_of(layer)
    statements = [
        _statement(relation, attribute, words, is_view=relation in views)
        for (relation, attribute), words in wanted.items()
        if existing.get((relation, attribute), words) != words
    ]
    if statements:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(SQL(";\n").join(statements))


def _comments_of(layer: Layer) -> Comments:
    title = f"{layer.title.vi} / {layer.title.en}"
    about = f"{layer.description.vi} / {layer.description.en}"
    comments = {(layer.id, ""): f"{title}. {about}"}
    comments |= {(layer.id, name): words for name, words in _OWN.items()}
    comments |= {(layer.id, name): _words_of(field) for name, field in layer.public_fields.items()}
    for table, words in _beside(layer):
        comments |= {(table, name): each.format(title=layer.id) for name, each in words.items()}
    return comments


def _beside(layer: Layer) -> Iterator[tuple[str, dict[str, str]]]:
    if has_unit_shares(layer):
        yield unit_shares_of(layer).name, _SHARES
    if has_hex_cover(layer):
        yield hex_cover_of(layer).name, _COVER


def _words_of(field: LayerField) -> str:
    words = f"{field.label.vi} / {field.label.en}"
    if field.unit is not None:
        words += f" ({field.unit})"
    if field.description is not None:
        words += f". {field.description.vi} / {field.description.en}"
    if field.values:
        values = (f"{value} = {each.vi} / {each.en}" for value, each in field.values.items())
        words += f". {'; '.join(values)}"
    return words


def _statement(relation: str, attribute: str, words: str, *, is_view: bool) -> Composed:
    if attribute:
        start = SQL("COMMENT ON COLUMN {}").format(Identifier(SCHEMA, relation, attribute))
    else:
        kind = SQL("VIEW") if is_view else SQL("TABLE")
        start = SQL("COMMENT ON {} {}").format(kind, Identifier(SCHEMA, relation))
    return SQL("{} IS {}").format(start, Literal(words))


_EXISTING = text("""
SELECT c.relname AS relation, c.relkind::text AS kind, coalesce(a.attname, '') AS attribute,
       CASE WHEN a.attnum IS NULL THEN obj_description(c.oid, 'pg_class')
            ELSE col_description(c.oid, a.attnum) END AS words
FROM pg_class c
CROSS JOIN LATERAL (SELECT NULL::name AS attname, NULL::int AS attnum UNION ALL
  SELECT attname, attnum FROM pg_attribute
  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS a
WHERE c.relnamespace = 'layer'::regnamespace AND c.relkind IN ('r', 'v')
""")
