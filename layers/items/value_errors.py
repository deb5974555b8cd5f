"""Values out of the range of PostgreSQL: errors of the request, not of the service."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from gis.errors import BadFilter

_DATA_EXCEPTION = "22"  # class of SQLSTATE: out of range, a pattern's dangling escape, …
_GEOMETRY_ERROR = "XX000"  # PostGIS raises what GEOS and PROJ say as an internal error


@contextmanager
def computed() -> Iterator[None]:
    """Raises BadFilter where a value of the request is out of range."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state[:2] == _DATA_EXCEPTION or state == _GEOMETRY_ERROR:
            raise BadFilter(
                "the question cannot be computed: a number, an area or a pattern in it is out of "
                "range; give values that occur in the data"
            ) from error
        raise
