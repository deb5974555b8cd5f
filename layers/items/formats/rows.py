"""The rows of an export, read in batches, so that memory holds one of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from gis.access import Principal
from gis.database.engine import Database
from layers.items.columns import ItemSource, ServedColumn
from layers.items.crs import CRS84
from layers.items.export_area import check_export_area
from layers.items.geojson import PageRequest, chosen, id_json, require_readable
from layers.items.paging import SortOrder
from layers.items.value_errors import computed

BATCH: Final = 2_000  # rows


def check_export(source: ItemSource, request: PageRequest, principal: Principal) -> None:
    """Raises NotFound, NotAllowed, BadFilter or BadInput for a request that cannot be answered.

    To be called before the first byte is sent, while the answer can still be an error.
    """
    require_readable(source, principal)
    if request.geometry:
        check_export_area(source.layer, request.query.box, principal)
    request.query.conditions(source)
    SortOrder(source, request.sort)
    chosen(source, request.properties)


@dataclass(frozen=True)
class ExportRows:
    """All rows that a request selects, at most `limit` (None: however many there are).

    A row has the properties of the items, their geometry in the CRS of the request, x before y
    whatever the order of its axes, and the id.
    """

    database: Database
    source: ItemSource
    request: PageRequest
    limit: int | None

    @cached_property
    def properties(self) -> tuple[ServedColumn, ...]:
        """The properties asked for. Raises BadInput or BadFilter for a name that is wrong."""
        return chosen(self.source, self.request.properties)

    @property
    def id(self) -> ColumnElement[Any]:
        """The id as text: decimal, or the 15 hexadecimal digits of an H3 cell."""
        return func.btrim(id_json(self.source.id), '"')

    @property
    def geometry(self) -> ColumnElement[Any] | None:
        """The geometry in the CRS of the request; None where the layer or the request has none."""
        if self.source.geometry is None or not self.request.geometry:
            return None
        if self.request.crs.srid == CRS84.srid:
            return self.source.geometry
        return func.ST_Transform(self.source.geometry, self.request.crs.srid)

    @contextmanager
    def batches(
        self, columns: Sequence[ColumnElement[Any]]
    ) -> Iterator[Iterator[list[tuple[Any, ...]]]]:
        """The values of the columns, in lists of up to BATCH rows, in the order of the request.

        The connection is held inside the block alone. Raises BadFilter for a value of the request
        that is out of range.
        """
        # A cursor of the server: what a client no longer wants is never read.
        with (
            self.database.reading() as connection,
            computed(),
            connection.execution_options(yield_per=BATCH).execute(self._select(columns)) as result,
        ):
            yield ([tuple(row) for row in batch] for batch in result.partitions())

    def _select(self, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        named = [column.label(f"c_{i}") for i, column in enumerate(columns)]
        return (
            select(*named)
            .select_from(self.source.table)
            .where(*self.request.query.conditions(self.source))
            .order_by(*SortOrder(self.source, self.request.sort).by(backward=False))
            .limit(self.limit)
        )
