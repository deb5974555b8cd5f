"""Relations that counts by hex are read from.

Points: gis.hex_count and gis.hex_day_count, of which coarser hexes are sums. Lines and areas: the
covers of the rows, in which a row counts once in each hex that holds a part of it, at each
resolution by itself: a sum over smaller hexes would count it again and again.
"""

from gis.hexes import FINEST
from layers.definition.model import Layer
from layers.storage.tables import finest_of, has_hex_cover
from tiles.hexes.rights import hex_options


def counts_of(layer: Layer) -> str:
    """SQL of a relation (layer_id, resolution, cell, category, count, valued, total); several rows
    may be of one cell and category.

    A statement that reads it binds `resolution`, and asks for cells of that resolution alone.
    """
    return _of_covers(layer) if has_hex_cover(layer) else "gis.hex_count"


def day_counts_of(layer: Layer) -> str:
    """The same by day, of cells at `day_resolution`."""
    return _of_covers(layer) if has_hex_cover(layer) else "gis.hex_day_count"


def day_resolution(layer: Layer, resolution: int) -> int:
    """The resolution of the cells by which days of hexes of a resolution are counted."""
    return resolution if has_hex_cover(layer) else FINEST


def finest_counted(layer: Layer) -> int | None:
    """The finest resolution at which lines or areas are counted; None: there are points."""
    return finest_of(layer) if has_hex_cover(layer) else None


def _of_covers(layer: Layer) -> str:
    """Each cell of a cover has its row: the join is a left one because the planner leaves that out
    where nothing of the row is asked for."""
    options, of = hex_options(layer), f'layer."{layer.id}"'
    category = "''" if options.category is None else f"coalesce(t.\"{options.category}\"::text, '')"
    value = "NULL::float8" if options.measure is None else f't."{options.measure}"::float8'
    return f"""(
SELECT '{layer.id}' AS layer_id, CAST(:resolution AS smallint) AS resolution, c.cell, c.size,
       {category} AS category, gis.day_of(t.valid_at) AS day, 1 AS count,
       ((abs({value}) < 'Infinity') IS TRUE)::int AS valued,
       CASE WHEN abs({value}) < 'Infinity' THEN {value}::numeric END AS total
FROM layer."{layer.id}_hexes" c LEFT JOIN {of} t ON t.id = c.id)"""  # noqa: S608 (a validated layer)
