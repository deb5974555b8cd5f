"""Check of commune codes in requests and options."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from gis.errors import NotFound

_UNKNOWN = text("""
SELECT code FROM unnest(CAST(:codes AS text[])) AS code
WHERE code NOT IN (SELECT code FROM layer.communes) ORDER BY code LIMIT 1
""")


def check_communes(connection: Connection, codes: Sequence[str]) -> None:
    """Raises NotFound for a code that no commune of today has."""
    unknown = connection.scalar(_UNKNOWN, {"codes": list(codes)})
    if unknown is not None:
        raise NotFound(f"there is no commune {unknown}: give codes of today, such as 02647")
