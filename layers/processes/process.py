"""The interface of a process, the types of its parameters, and what it gives.

A process is one module of `layers.processes.operations` and one line of its registry. All else
follows from it: `gis process list`, `show` and `run`, its description and its form, OGC API
Processes, the page of docs/reference, and the tests over all processes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator
from sqlalchemy.sql.selectable import Select

from layers.definition.model import (
    FieldType,
    GeometryKind,
    LayerField,
    LocalizedText,
    Strict,
    Style,
)

if TYPE_CHECKING:
    from layers.processes.context import Context

MOST_ROWS = 200_000  # of a result
_MOST_VERTICES = 20_000  # of a shape that a request draws

# A row of a result: its geometry (WGS 84, longitude before latitude) as WKB, and its properties.
type Row = tuple[bytes | None, Mapping[str, Any]]


class Parameters(Strict):
    """Base of the parameters of a process: their model is their form and their documentation."""


def parameter(default: Any, vi: str, en: str, **limits: Any) -> Any:
    """A parameter with its label in Vietnamese and English; `...` for one that must be given."""
    extra = {"title_vi": vi, **limits.pop("extra", {})}
    return Field(default, title=en, json_schema_extra=extra, **limits)


class LayerInput(Parameters):
    """Rows of a layer, or of a result: a name alone means all of them."""

    layer: str = parameter(
        ..., "Lớp dữ liệu", "Layer", min_length=1, max_length=60, extra={"format": "layer"}
    )
    filter: str | None = parameter(
        None, "Điều kiện (CQL2)", "Filter (CQL2)", max_length=5_000, extra={"format": "cql2"}
    )
    datetime: str | None = parameter(
        None, "Thời gian", "Time: a day, or start/end", max_length=100, extra={"format": "datetime"}
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"layer": given} if isinstance(given, str) else given


class RasterInput(Parameters):
    """The raster of a raster layer, of one time where it has steps: a name alone is the newest."""

    layer: str = parameter(
        ..., "Lớp ảnh", "Raster layer", min_length=1, max_length=60, extra={"format": "raster"}
    )
    datetime: str | None = parameter(
        None, "Thời điểm", "Time: a day or an instant", max_length=100, extra={"format": "datetime"}
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"layer": given} if isinstance(given, str) else given


NAMED_ALONE = {LayerInput.__name__: "layer", RasterInput.__name__: "raster"}  # with their formats


def _valid_shape(document: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON geometry that PostGIS can take: valid, on the earth, not too large."""
    import shapely
    from shapely.geometry import shape

    document = document.get("geometry", document) if document.get("type") == "Feature" else document
    try:
        geometry = shape(document)
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError,
            AttributeError) as error:  # fmt: skip
        raise ValueError("it is no GeoJSON geometry: give type and coordinates") from error
    if geometry.is_empty:
        raise ValueError("the geometry is empty")
    if shapely.get_num_coordinates(geometry) > _MOST_VERTICES:
        raise ValueError(f"the geometry has more than {_MOST_VERTICES} vertices")
    west, south, east, north = geometry.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise ValueError("a vertex is not on the earth: coordinates are longitude, latitude")
    if not geometry.is_valid:
        raise ValueError(f"the geometry is not valid: {shapely.is_valid_reason(geometry)}")
    return document


_GEOJSON = {"type": "object", "format": "geojson-geometry"}
Shape = Annotated[dict[str, Any], AfterValidator(_valid_shape), WithJsonSchema(_GEOJSON)]
Metres = Annotated[float, Field(gt=0, le=200_000)]


_PLAIN = Style()


@dataclass(frozen=True)
class NewCollection:
    """What a process gives: a layer's worth of rows, and figures about them all.

    `rows` is a statement with the columns of `fields` and, unless `geometry` is NONE, `geom`
    (EPSG:4326), run when it is stored; or the rows themselves. `summary` has what proves the
    result: totals, what was left out, how exact it is.
    """

    geometry: GeometryKind
    fields: Mapping[str, LayerField]
    rows: Select[Any] | Sequence[Row]
    summary: Mapping[str, Any] = field(default_factory=dict)
    style: Style = _PLAIN
    title: LocalizedText | None = None


@dataclass(frozen=True)
class Value:
    """What a process gives that makes no collection: its outputs, by name."""

    outputs: Mapping[str, Any]


class Process[P: Parameters](ABC):
    """One question that is put to layers; `P` are its parameters."""

    name: ClassVar[str]  # in URLs and on the command line
    title: ClassVar[LocalizedText]
    description: ClassVar[LocalizedText]
    parameters: ClassVar[type[Parameters]]
    # True where PostgreSQL does its work: it may be done while a request waits, in its thread.
    is_light: ClassVar[bool] = True
    # True for the methods of detection, which count the records of one reporter once: a reader may
    # not see schema `private`.
    reads_voices: ClassVar[bool] = False
    outputs: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None  # of one that gives a Value
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ()  # inputs that run on the demo

    @abstractmethod
    def run(self, context: "Context", parameters: P) -> NewCollection | Value:
        """Answer the question in the context's transaction, which reads one snapshot.

        Raises BadInput for what the parameters or the layers do not admit, NotFound for a layer
        that is not there for who asks.
        """


def number(vi: str, en: str, unit: str | None = None) -> LayerField:
    """A field of a result that is a number."""
    return _field(FieldType.NUMBER, vi, en, unit)


def integer(vi: str, en: str) -> LayerField:
    return _field(FieldType.INTEGER, vi, en)


def words(vi: str, en: str) -> LayerField:
    """A field of a result that is a text."""
    return _field(FieldType.TEXT, vi, en)


def boolean(vi: str, en: str) -> LayerField:
    return _field(FieldType.BOOLEAN, vi, en)


def _field(kind: FieldType, vi: str, en: str, unit: str | None = None) -> LayerField:
    return LayerField(type=kind, label=LocalizedText(vi=vi, en=en), unit=unit)


def arranged(
    own: Mapping[str, LayerField], added: Mapping[str, LayerField]
) -> dict[str, LayerField]:
    """Fields in the order in which a table is read: what an item is called, what was computed for
    it, and all else.
    """
    names = [name for name in ("code", "full_name", "name", "title") if name in own]
    first = {name: own[name] for name in names}
    return {**first, **added, **own}


def graduated(name: str, bounds: Sequence[float], outline: str | None = "#37474f") -> Style:
    """A style by classes of a number, from each bound up to the next; bounds are rounded down."""
    from layers.definition.model import StyleClass

    colours = ("#ffffcc", "#c2e699", "#78c679", "#31a354", "#006837", "#00441b")
    edges = sorted({_rounded_down(bound) for bound in bounds})[: len(colours)]
    classes = tuple(
        StyleClass(label=_between(edge, above), colour=colours[at], at_least=edge)
        for at, (edge, above) in enumerate(zip(edges, [*edges[1:], None], strict=True))
    )
    return Style(field=name, classes=classes, outline=outline, opacity=0.7, size_px=1)


def _rounded_down(bound: float) -> float:
    """To three digits: the least value of a class must not fall out of it."""
    if bound == 0 or not math.isfinite(bound):
        return 0.0
    digits = 2 - math.floor(math.log10(abs(bound)))
    rounded = round(bound, digits)
    return rounded if rounded <= bound else round(bound - 10.0**-digits, digits)


def _between(edge: float, above: float | None) -> LocalizedText:
    """The line of a legend for values from a bound up to the next."""
    low, high = (f"{bound:.10g}" if bound is not None else "" for bound in (edge, above))
    if above is None:
        return LocalizedText(vi=f"từ {low.replace('.', ',')}", en=f"{low} and more")
    vi = f"từ {low} đến dưới {high}".replace(".", ",")
    return LocalizedText(vi=vi, en=f"{low} to below {high}")
