"""Store of units and boundaries in the database: written in one transaction, read as values."""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import shapely
from sqlalchemy import Connection, text

from gis.boundaries.units import BoundaryQuality, Level, Unit, UnitChange, UnitHistory

if TYPE_CHECKING:
    import geopandas as gpd

_UNIT = text("""
INSERT INTO gis.admin_unit (code, name, full_name, name_en, kind, level, valid_from, valid_to,
                            parent_code, aliases, area_km2, geom, source, quality)
VALUES (:code, :name, :full_name, :name_en, :kind, :level, :valid_from, :valid_to, :parent,
        :aliases, :area_km2, ST_Multi(ST_GeomFromWKB(:geom, 4326)), :source, :quality)
""")

_FORMER_SHAPES = text(
    "SELECT code, level, valid_to, ST_AsBinary(geom) AS geom FROM gis.admin_unit"
    " WHERE valid_to IS NOT NULL AND geom IS NOT NULL AND gis.is_on_earth(geom)"
)

_CHANGE = text("""
INSERT INTO gis.admin_change (old_unit, new_unit, changed_on, share_area, share_population,
                              estimated, source)
SELECT o.id, n.id, :on, :share_area, :share_population, :estimated, :source
FROM gis.admin_unit o, gis.admin_unit n
WHERE o.level = 'commune' AND n.level = 'commune' AND o.code = :old AND n.code = :new
  AND o.valid_to = :on AND n.valid_from = :on
""")

_STATE = text("""
INSERT INTO gis.boundary_state (source, quality, digest) VALUES (:source, :quality, :digest)
""")


def digest_of(history: UnitHistory, communes: "gpd.GeoDataFrame", quality: BoundaryQuality) -> str:
    """SHA-256 over all that a load would store: the same digest, the same tables."""
    digest = hashlib.sha256(quality.value.encode())
    for part in (*history.units, *history.changes):
        digest.update(repr(part).encode())
    for code, shape in zip(communes["code"], communes.geometry, strict=True):
        digest.update(code.encode() + shapely.to_wkb(shape))
    return digest.hexdigest()


def stored_digest(connection: Connection) -> str | None:
    digest: str | None = connection.scalar(text("SELECT digest FROM gis.boundary_state"))
    return digest


def replace_units(
    connection: Connection,
    history: UnitHistory,
    shapes: dict[tuple[str, Level], shapely.Geometry],
    *,
    source: str,
    quality: BoundaryQuality,
    digest: str,
) -> None:
    """Store all units with their lineage in place of those before.

    `shapes` holds polygons (EPSG:4326) of units that live, by code and level; units that are no
    more keep the polygons that they have.
    """
    former = {
        (row.code, Level(row.level), row.valid_to): row.geom
        for row in connection.execute(_FORMER_SHAPES)
    }
    connection.execute(text("DELETE FROM gis.boundary_state"))
    connection.execute(text("DELETE FROM gis.admin_change"))
    connection.execute(text("DELETE FROM gis.admin_unit"))
    rows = [_unit_row(unit, shapes, source, quality) for unit in history.units]
    for unit, row in zip(history.units, rows, strict=True):
        row["geom"] = row["geom"] or former.get((unit.code, unit.level, unit.valid_to))
    connection.execute(_UNIT, rows)
    insert_changes(connection, history.changes, source)
    values = {"source": source, "quality": quality.value, "digest": digest}
    connection.execute(_STATE, values)


def insert_changes(connection: Connection, changes: Iterable[UnitChange], source: str) -> None:
    """Store changes of units; the old and the new unit must be stored, and meet on the day."""
    rows = [
        {
            "old": change.old,
            "new": change.new,
            "on": change.on,
            "share_area": change.share_area,
            "share_population": change.share_population,
            "estimated": change.estimated,
            "source": source,
        }
        for change in changes
    ]
    if rows:
        connection.execute(_CHANGE, rows)


def store_polygons(
    connection: Connection, shapes: dict[str, bytes], day: date, level: Level = Level.COMMUNE
) -> None:
    """Store polygons (WKB, EPSG:4326) of the units of a level that lived on a day, by code."""
    connection.execute(
        text(
            "UPDATE gis.admin_unit SET geom = ST_Multi(ST_GeomFromWKB(:shape, 4326))"
            " WHERE level = :level AND code = :code AND (valid_from IS NULL OR"
            " valid_from <= :day) AND :day < valid_to"
        ),
        [
            {"shape": shape, "code": code, "day": day, "level": level.value}
            for code, shape in shapes.items()
        ],
    )


def read_history(connection: Connection) -> UnitHistory:
    """All units and changes that are stored, without geometry."""
    units = connection.execute(
        text(
            "SELECT code, name, full_name, kind, level, valid_from, valid_to, parent_code,"
            " name_en, aliases, area_km2 FROM gis.admin_unit ORDER BY id"
        )
    )
    changes = connection.execute(
        text(
            "SELECT o.code, n.code, c.changed_on, c.share_area, c.share_population, c.estimated"
            " FROM gis.admin_change c JOIN gis.admin_unit o ON o.id = c.old_unit"
            " JOIN gis.admin_unit n ON n.id = c.new_unit ORDER BY c.id"
        )
    )
    return UnitHistory(
        tuple(
            Unit(
                code=row.code,
                name=row.name,
                full_name=row.full_name,
                kind=row.kind,
                level=Level(row.level),
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                parent=row.parent_code,
                name_en=row.name_en,
                aliases=tuple(row.aliases),
                area_km2=row.area_km2,
            )
            for row in units
        ),
        tuple(UnitChange(*row) for row in changes),
    )


def _unit_row(
    unit: Unit,
    shapes: dict[tuple[str, Level], shapely.Geometry],
    source: str,
    quality: BoundaryQuality,
) -> dict[str, object]:
    shape = shapes.get((unit.code, unit.level)) if unit.valid_to is None else None
    return {
        "code": unit.code,
        "name": unit.name,
        "full_name": unit.full_name,
        "name_en": unit.name_en,
        "kind": unit.kind,
        "level": unit.level.value,
        "valid_from": unit.valid_from,
        "valid_to": unit.valid_to,
        "parent": unit.parent,
        "aliases": list(unit.aliases),
        "area_km2": unit.area_km2,
        "geom": None if shape is None else shapely.to_wkb(shape),
        "source": source,
        "quality": quality.value,
    }
