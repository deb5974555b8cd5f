"""Runs in QGIS's own Python: the rows of each source, and how much of a tileset is drawn, as JSON.

`qgis_rows.py SOURCES`: a JSON list of [name, provider, source].
"""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRectangle,
    QgsVectorLayer,
    QgsVectorTileBasicRenderer,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def main(sources):
    application = QgsApplication([], False)
    application.initQgis()
    read = {}
    for name, provider, source in json.loads(sources):
        read[name] = drawn(source) if provider == "tiles" else rows(name, provider, source)
    print("JSON:" + json.dumps(read), flush=True)
    application.exitQgis()


def rows(name, provider, source):
    """Notes with the bounds of their geometry in degrees; None: QGIS does not open the source."""
    layer = QgsVectorLayer(source, name, provider)
    if not layer.isValid():
        return None
    return {feature["note"]: bounds(feature) for feature in layer.getFeatures()}


def bounds(feature):
    if not feature.hasGeometry():
        return None
    box = feature.geometry().boundingBox()
    return [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()]


def drawn(source):
    """Number of coloured pixels of a tileset; None: QGIS does not open it."""
    layer = QgsVectorTileLayer(source, "tiles")
    if not layer.isValid():
        return None
    styles = QgsVectorTileBasicRenderer.simpleStyleWithRandomColors()
    layer.setRenderer(QgsVectorTileBasicRenderer())
    layer.renderer().setStyles(styles)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    settings.setExtent(QgsRectangle(103.7, 21.9, 104.5, 22.5))
    settings.setOutputSize(QSize(200, 150))
    settings.setBackgroundColor(QColor(255, 255, 255))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    white = QColor(255, 255, 255).rgb()
    return sum(
        image.pixel(x, y) != white for x in range(image.width()) for y in range(image.height())
    )


main(*sys.argv[1:])
