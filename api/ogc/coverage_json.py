"""CoverageJSON, and GeoJSON, of values of rasters."""

from typing import TYPE_CHECKING, Any

from gis.rasters.raster import RasterQuantity
from layers.definition.raster import RasterLayer
from layers.items import CRS84, Crs

if TYPE_CHECKING:
    from gis.rasters.queries import RasterCube, RasterSeries
    from gis.rasters.raster import StoredRaster

type Json = dict[str, Any]

COVERAGE_JSON = "application/prs.coverage+json"
GREGORIAN = {"type": "TemporalRS", "calendar": "Gregorian"}


def parameter(layer: RasterLayer) -> Json:
    """The parameter of a layer as CoverageJSON describes it."""
    described: Json = {
        "type": "Parameter",
        "description": layer.description.model_dump(),
        "observedProperty": {
            "id": f"urn:gis:raster:{layer.id}",
            "label": layer.title.model_dump(),
        },
    }
    if layer.quantity is RasterQuantity.CLASS:
        classes = layer.style.classes
        described["observedProperty"]["categories"] = [
            {"id": f"urn:gis:raster:{layer.id}:{each.value}", "label": each.label.model_dump()}
            for each in classes
        ]
        described["categoryEncoding"] = {
            f"urn:gis:raster:{layer.id}:{each.value}": each.value for each in classes
        }
    else:
        described["unit"] = {
            "symbol": {"value": layer.unit, "type": "http://www.opengis.net/def/uom/UCUM/"}
        }
    return described


def cube_coverage(layer: RasterLayer, cube: "RasterCube", crs: Crs) -> Json:
    """A Grid with its axes at the centres of pixels; null where there is no value."""
    import numpy as np

    axes: Json = {"x": {"values": cube.x.tolist()}, "y": {"values": cube.y.tolist()}}
    names, values = ["y", "x"], np.where(cube.has_value, cube.values, np.nan)
    if cube.steps[0].span is None:
        values = values[0]
    else:
        axes["t"], names = _time_axis(cube.steps), ["t", "y", "x"]
    return _coverage(layer, "Grid", axes, names, values, crs)


def series_coverages(
    layer: RasterLayer, series: "RasterSeries", crs: Crs, *, is_line: bool, many: bool
) -> Json:
    """A point, or a collection of points; of a line all points together."""
    timed = series.steps[0].span is not None
    time: Json = {"t": _time_axis(series.steps)} if timed else {}
    if is_line:
        points = {"dataType": "tuple", "coordinates": ["x", "y"], "values": series.places}
        kind = "MultiPointSeries" if timed else "MultiPoint"
        values = series.values if timed else series.values[0]
        names = [*time, "composite"]
        return _coverage(layer, kind, {**time, "composite": points}, names, values, crs)
    kind = "PointSeries" if timed else "Point"
    coverages = []
    for number, (x, y) in enumerate(series.places):
        axes = {"x": {"values": [x]}, "y": {"values": [y]}, **time}
        values = series.values[:, number]
        names = ["t"] if timed else []
        coverages.append(
            _coverage(layer, kind, axes, names, values if timed else values.reshape(()), crs)
        )
    if not many:
        return coverages[0]
    return {
        "type": "CoverageCollection",
        "domainType": kind,
        "coverages": coverages,
        "parameters": {layer.id: parameter(layer)},
    }


def series_features(layer: RasterLayer, series: "RasterSeries") -> Json:
    """A GeoJSON point for each place and step; of CRS84."""
    return _features(
        layer,
        [
            (x, y, step, series.values[row, number])
            for row, step in enumerate(series.steps)
            for number, (x, y) in enumerate(series.places)
        ],
    )


def cube_features(layer: RasterLayer, cube: "RasterCube") -> Json:
    """A GeoJSON point for each pixel with a value and each step; of CRS84."""
    import numpy as np

    x, y = cube.x, cube.y
    return _features(
        layer,
        [
            (x[column], y[row], cube.steps[step], cube.values[step, row, column])
            for step, row, column in np.argwhere(cube.has_value)
        ],
    )


def _features(layer: RasterLayer, rows: "list[tuple[float, float, StoredRaster, Any]]") -> Json:
    return {
        "type": "FeatureCollection",
        "parameters": {layer.id: parameter(layer)},
        "features": [
            {
                "type": "Feature",
                "id": number,
                "geometry": {"type": "Point", "coordinates": [float(x), float(y)]},
                "properties": {
                    "datetime": instant(step.start) if step.start else None,
                    layer.id: None if value != value else float(value),
                },
            }
            for number, (x, y, step, value) in enumerate(rows, 1)
        ],
    }


def _coverage(
    layer: RasterLayer, kind: str, axes: Json, names: list[str], values: Any, crs: Crs
) -> Json:
    is_whole = layer.quantity is RasterQuantity.CLASS
    flat = [None if value != value else value for value in values.ravel().tolist()]
    if is_whole:
        flat = [None if value is None else int(value) for value in flat]
    return {
        "type": "Coverage",
        "domain": {
            "type": "Domain",
            "domainType": kind,
            "axes": axes,
            "referencing": _referencing(crs, timed="t" in axes),
        },
        "parameters": {layer.id: parameter(layer)},
        "ranges": {
            layer.id: {
                "type": "NdArray",
                "dataType": "integer" if is_whole else "float",
                **({"axisNames": names, "shape": list(values.shape)} if names else {}),
                "values": flat,
            }
        },
    }


def _referencing(crs: Crs, *, timed: bool) -> list[Json]:
    """Axes in the order in which the CRS has them."""
    kind = "GeographicCRS" if crs.srid == CRS84.srid else "ProjectedCRS"
    axes = ["y", "x"] if crs.yx else ["x", "y"]
    space = {"coordinates": axes, "system": {"type": kind, "id": crs.uri}}
    return [space, *([{"coordinates": ["t"], "system": GREGORIAN}] if timed else [])]


def _time_axis(steps: "tuple[StoredRaster, ...]") -> Json:
    """The beginnings of steps, with their bounds where they last."""
    spans = [step.span for step in steps if step.span]
    axis: Json = {"values": [instant(span.start) for span in spans]}
    if any(span.start != span.end for span in spans):
        axis["bounds"] = [instant(moment) for span in spans for moment in (span.start, span.end)]
    return axis


def instant(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
