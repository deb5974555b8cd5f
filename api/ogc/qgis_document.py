"""A QGIS project (or a layer definition) over the OGC API, as QGIS 3.22 and later read it.

Each layer has the one style of its file, field aliases in Vietnamese, and the rights of whoever
opens it: no key is written into the file.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as Xml

import pyproj

from api.ogc.qgis_hexes import hex_renderer, hex_source, hex_title
from layers.definition.model import GeometryKind, Layer
from layers.items.crs import EPSG_9208
from layers.style.qml import qml

_VERSION = "3.22.0-Białowieża"
_PROJECT_CRS = f"EPSG:{EPSG_9208.srid}"
_LAYER_CRS = "OGC:CRS84"
_GEOMETRY = {
    GeometryKind.POINT: "Point",
    GeometryKind.LINE: "Line",
    GeometryKind.POLYGON: "Polygon",
    GeometryKind.NONE: "No geometry",
}
# From which on top of which: polygons lie under lines, lines under points.
_ON_TOP = (GeometryKind.NONE, GeometryKind.POINT, GeometryKind.LINE, GeometryKind.POLYGON)
_SCALE_AT_ZOOM_0 = 559_082_264  # of Web Mercator at the equator, 0.28 mm a pixel
_QLR = "<!DOCTYPE qgis-layer-definition>\n"
_QGS = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"

Extent = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ProjectView:
    """Title, addresses and view of a project. `extent` is that of the view, in EPSG:9208, m;
    hexes with fewer than `min_count` records are shown to nobody."""

    root_url: str
    extent: Extent
    title: str
    min_count: int

    @property
    def ogc_url(self) -> str:
        return f"{self.root_url}/ogc"


def project(layers: Sequence[Layer], frame: ProjectView) -> bytes:
    """A .qgz: the layers grouped by department."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.qgs", _project(layers, frame))
    return packed.getvalue()


def layer_definition(layer: Layer, ogc_url: str) -> str:
    """A .qlr of one layer, to be dragged into any project."""
    root = Xml.Element("qlr")
    tree = Xml.SubElement(root, "layer-tree-group", expanded="1", checked="Qt::Checked", name="")
    tree.append(_leaf(layer, ogc_url))
    Xml.SubElement(root, "maplayers").append(_map_layer(layer, ogc_url))
    return _QLR + Xml.tostring(root, encoding="unicode")


def _project(layers: Sequence[Layer], frame: ProjectView) -> str:
    ordered = sorted(layers, key=_depth)
    root = Xml.Element("qgis", version=_VERSION, projectname=frame.title)
    Xml.SubElement(root, "title").text = frame.title
    root.append(_properties())
    root.append(_crs("projectCrs", _PROJECT_CRS))
    root.append(_tree(ordered, frame))
    root.append(_canvas(frame.extent))
    map_layers = Xml.SubElement(root, "projectlayers")
    for layer in ordered:
        map_layers.append(_map_layer(layer, frame.ogc_url))
        if layer.hexes is not None:
            map_layers.append(_hex_layer(layer, frame))
    return _QGS + Xml.tostring(root, encoding="unicode")


def _depth(layer: Layer) -> tuple[int, bool]:
    """Sort key of drawing: events lie above layers without a time, such as communes."""
    return _ON_TOP.index(layer.geometry), layer.source.time is None


def _properties() -> Xml.Element:
    """Without this one QGIS leaves the project's CRS unread."""
    properties = Xml.Element("properties")
    reference = Xml.SubElement(properties, "SpatialRefSys")
    Xml.SubElement(reference, "ProjectionsEnabled", type="int").text = "1"
    return properties


def _tree(layers: Sequence[Layer], frame: ProjectView) -> Xml.Element:
    """One group a department, in the order of their names; within it points lie on top."""
    tree = Xml.Element("layer-tree-group")
    by_department = sorted(layers, key=lambda layer: layer.department.vi)
    for department, members in groupby(by_department, key=lambda layer: layer.department.vi):
        group = Xml.SubElement(
            tree, "layer-tree-group", name=department, expanded="1", checked="Qt::Checked"
        )
        for layer in members:
            group.append(_leaf(layer, frame.ogc_url))
            if layer.hexes is not None:
                group.append(_hex_leaf(layer, frame))
    order = Xml.SubElement(tree, "custom-order", enabled="1")
    for layer in layers:
        Xml.SubElement(order, "item").text = _id(layer)
    for layer in layers:
        if layer.hexes is not None:
            Xml.SubElement(order, "item").text = _id(layer, "hexes")
    return tree


def _leaf(layer: Layer, ogc_url: str) -> Xml.Element:
    return Xml.Element(
        "layer-tree-layer",
        id=_id(layer),
        name=layer.title.vi,
        source=_source(layer, ogc_url),
        providerKey="OAPIF",
        checked="Qt::Checked",
        expanded="0",
    )


def _hex_leaf(layer: Layer, frame: ProjectView) -> Xml.Element:
    """Switched off at first: it says the same as the points that lie on it."""
    return Xml.Element(
        "layer-tree-layer",
        id=_id(layer, "hexes"),
        name=hex_title(layer),
        source=hex_source(layer, frame.root_url),
        providerKey="vectortile",
        checked="Qt::Unchecked",
        expanded="0",
    )


def _hex_layer(layer: Layer, frame: ProjectView) -> Xml.Element:
    map_layer = Xml.Element("maplayer", type="vector-tile")
    Xml.SubElement(map_layer, "id").text = _id(layer, "hexes")
    Xml.SubElement(map_layer, "datasource").text = hex_source(layer, frame.root_url)
    Xml.SubElement(map_layer, "layername").text = hex_title(layer)
    Xml.SubElement(map_layer, "provider").text = "vectortile"
    map_layer.append(_crs("srs", "EPSG:3857"))
    map_layer.append(hex_renderer(layer, frame.min_count))
    return map_layer


def _map_layer(layer: Layer, ogc_url: str) -> Xml.Element:
    map_layer = Xml.Element(
        "maplayer",
        {"type": "vector", "geometry": _GEOMETRY[layer.geometry], **_scales(layer)},
    )
    Xml.SubElement(map_layer, "id").text = _id(layer)
    Xml.SubElement(map_layer, "datasource").text = _source(layer, ogc_url)
    Xml.SubElement(map_layer, "layername").text = layer.title.vi
    Xml.SubElement(map_layer, "title").text = layer.title.vi
    Xml.SubElement(map_layer, "abstract").text = layer.description.vi
    Xml.SubElement(map_layer, "attribution").text = layer.attribution or layer.department.vi
    Xml.SubElement(map_layer, "provider", encoding="UTF-8").text = "OAPIF"
    map_layer.append(_crs("srs", _LAYER_CRS))
    style = Xml.fromstring(qml(layer).partition("\n")[2])
    map_layer.set("labelsEnabled", style.get("labelsEnabled", "0"))
    map_layer.extend(list(style))
    return map_layer


def _id(layer: Layer, part: str = "items") -> str:
    """The same in every project; QGIS gives another to a layer whose id has no UUID in it."""
    unique = str(uuid5(NAMESPACE_URL, f"layer/{layer.id}/{part}")).replace("-", "_")
    return f"{layer.id}_{part}_{unique}"


def _scales(layer: Layer) -> dict[str, str]:
    """Shown from the zoom on from which its tiles are; minScale is the farther one."""
    zoom = layer.tiles.min_zoom if layer.tiles else 0
    shown = f"{_SCALE_AT_ZOOM_0 / 2**zoom:.0f}"
    return {
        "hasScaleBasedVisibilityFlag": "1" if zoom > 0 else "0",
        "minScale": shown,
        "maxScale": "0",
    }


def _source(layer: Layer, ogc_url: str) -> str:
    """The source for the OAPIF provider: only the features in view, in pages as the API says."""
    return (
        f" pagingEnabled='true' restrictToRequestBBOX='1' srsname='{_LAYER_CRS}'"
        f" typename='{layer.id}' url='{ogc_url}'"
    )


def _crs(tag: str, authid: str) -> Xml.Element:
    element = Xml.Element(tag)
    system = Xml.SubElement(element, "spatialrefsys")
    # By its code QGIS finds only a CRS whose row in QGIS's own table is named too.
    Xml.SubElement(system, "wkt").text = pyproj.CRS(authid).to_wkt("WKT2_2019")
    Xml.SubElement(system, "authid").text = authid
    return element


def _canvas(extent: Extent) -> Xml.Element:
    canvas = Xml.Element("mapcanvas", name="theMapCanvas", annotationsVisible="1")
    Xml.SubElement(canvas, "units").text = "meters"
    box = Xml.SubElement(canvas, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), extent, strict=True):
        Xml.SubElement(box, name).text = f"{value:.3f}"
    Xml.SubElement(canvas, "rotation").text = "0"
    canvas.append(_crs("destinationsrs", _PROJECT_CRS))
    return canvas
