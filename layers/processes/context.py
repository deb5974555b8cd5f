"""What a process reads: layers and results, with the rights of who asks, in one snapshot."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Subquery, func, select, text
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from gis.access import Principal
from gis.errors import BadInput, NotFound, Unavailable
from gis.rasters.raster import StoredRaster
from layers.cql2 import condition, parse, properties_of
from layers.definition.catalogue import Catalogue
from layers.definition.model import FieldType, GeometryKind, Layer, LayerField
from layers.definition.raster import RasterLayer
from layers.items import CRS84, ItemSource, Query, ServedColumn, source_of
from layers.items.literals import span_of
from layers.items.results import run_of
from layers.processes.process import LayerInput, RasterInput
from layers.processes.runs import readable_result
from layers.rasters import RasterSource, readable_raster

type Progress = Callable[[float | None, str], None]

_NUMERIC = (FieldType.INTEGER, FieldType.NUMBER)
_KINDS = {
    GeometryKind.POINT: "points",
    GeometryKind.LINE: "lines",
    GeometryKind.POLYGON: "areas",
    GeometryKind.NONE: "no geometry",
}


@dataclass
class Context:
    """One execution: its reading transaction, who asks, and what was read."""

    connection: Connection
    catalogue: Catalogue
    principal: Principal
    report: Progress
    folder: Path | None = None  # of the files of rasters; None: there are none here
    reads: dict[str, int] = field(default_factory=dict)  # versions, by layer
    layers: dict[str, Layer] = field(default_factory=dict)
    rasters: dict[str, RasterLayer] = field(default_factory=dict)
    is_simulated: bool = False

    def source(self, given: LayerInput, kinds: Collection[GeometryKind] = ()) -> ItemSource:
        """The layer or result of an input, of one of these kinds of geometry where some are named.

        Raises NotFound where it is not there for who asks, BadInput for another geometry.
        """
        layer = self._layer(given.layer)
        if kinds and layer.geometry not in kinds:
            wanted = " or ".join(_KINDS[kind] for kind in kinds)
            raise BadInput(f"{layer.id} has {_KINDS[layer.geometry]}: give a layer of {wanted}")
        return source_of(layer)

    def raster(self, layer_id: str) -> RasterSource:
        """A raster layer with its rasters.

        Raises NotFound where it is not there for who asks, or has no raster yet.
        """
        source = readable_raster(self.connection, layer_id, self.principal)
        self.reads[layer_id] = source.version
        self.rasters[layer_id] = source.layer
        self.is_simulated |= source.require_stack().is_simulated
        return source

    def one_raster(self, given: RasterInput) -> tuple[RasterSource, StoredRaster, Path]:
        """The raster of an input, with its layer and its file. Raises NotFound, BadInput."""
        source = self.raster(given.layer)
        raster = source.one(source.span_asked(given.datetime))
        return source, raster, raster.path(self.raster_folder)

    @property
    def raster_folder(self) -> Path:
        """Raises Unavailable where this process knows none."""
        if self.folder is None:
            raise Unavailable("the folder of rasters is not known here: set GIS_HOME")
        return self.folder

    def rows(
        self, given: LayerInput, *kinds: GeometryKind, names: Collection[str] | None = None
    ) -> Subquery:
        """The rows of an input: `id`, `geom` (EPSG:4326, none of them null) and its properties.

        `names`: these properties alone.
        """
        source = self.source(given, kinds or tuple(k for k in GeometryKind if k != "none"))
        assert source.geometry is not None
        placed = source.geometry.is_not(None)
        return self.selected(source, given, names, placed).subquery()

    def selected(
        self,
        source: ItemSource,
        given: LayerInput,
        names: Collection[str] | None = None,
        *more: ColumnElement[bool],
    ) -> Select[Any]:
        """A statement for the rows of an input, with its filter and time."""
        chosen = [each for each in source.properties if names is None or each.name in names]
        shape = [] if source.geometry is None else [source.geometry.label("geom")]
        return (
            select(source.id.label("id"), *shape, *(each.sql.label(each.name) for each in chosen))
            .select_from(source.table)
            .where(*conditions_of(source, given), *more)
        )

    def fields(self, source: ItemSource, taken: Collection[str] = ()) -> dict[str, LayerField]:
        """The properties of a layer as fields of a result, but for those whose names are taken."""
        return {
            each.name: field_of(each)
            for each in source.properties
            if each.name not in taken and each.name not in ("id", "geom")
        }

    def numeric(self, source: ItemSource, name: str) -> ServedColumn:
        """A property that is a number; raises BadInput with those that there are."""
        served = source.by_name.get(name)
        numbers = [each.name for each in source.properties if each.type in _NUMERIC]
        if served is None or served.name not in numbers:
            there = ", ".join(numbers) or "none"
            raise BadInput(f"{source.layer.id} has no number {name!r}: it has {there}")
        return served

    def count(self, rows: Any) -> int:
        return int(self.connection.scalar(select(func.count()).select_from(rows)) or 0)

    def _layer(self, layer_id: str) -> Layer:
        if layer_id in self.layers:
            return self.layers[layer_id]
        run = run_of(layer_id)
        if run is None:
            layer = self.catalogue.get_readable(layer_id, self.principal)
            version = self.connection.scalar(_VERSION, {"id": layer_id})
            if version is None:
                raise NotFound(f"the layer {layer_id} is not published: run `gis layers sync`")
            self.reads[layer_id] = version
        else:
            result = readable_result(self.connection, run, self.catalogue, self.principal)
            layer = result.layer
            self.reads |= {name: min(version, self.reads.get(name, version))
                           for name, version in result.reads.items()}  # fmt: skip
        self.layers[layer_id] = layer
        self.is_simulated |= self._holds_simulated(source_of(layer))
        return layer

    def _holds_simulated(self, source: ItemSource) -> bool:
        """By its first and last rows: a layer is of the demo as a whole, or it is not."""
        marked = source.by_name.get("simulated")
        if marked is None:
            return False
        for order in (source.id.asc(), source.id.desc()):
            few = (
                select(marked.sql.label("mark"))
                .select_from(source.table)
                .order_by(order)
                .limit(1_000)
                .subquery()
            )
            if self.connection.scalar(select(func.bool_or(few.c.mark))):
                return True
        return False


_VERSION = text("SELECT version FROM gis.layer WHERE id = :id AND published")


def conditions_of(source: ItemSource, given: LayerInput) -> list[ColumnElement[bool]]:
    """The filter and the time of an input as conditions; raises BadFilter or BadInput."""
    wanted = None
    if given.filter:
        wanted = condition(parse(given.filter, "cql2-text"), properties_of(source), CRS84)
    time = span_of(given.datetime) if given.datetime else None
    return Query(time=time, condition=wanted).conditions(source)


def field_of(served: ServedColumn) -> LayerField:
    return LayerField(
        type=served.type,
        label=served.label,
        unit=served.unit,
        values=served.values or None,
        description=served.description,
    )
