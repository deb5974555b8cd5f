"""Runs in QGIS's own Python: opens a GeoTIFF and pictures of the service, tells what it reads."""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def main(file_url, tiles_url, picture_path):
    application = QgsApplication([], False)
    application.initQgis()
    file = QgsRasterLayer(f"/vsicurl/{file_url}", "heights", "gdal")
    value, is_value = file.dataProvider().sample(QgsPointXY(104.155, 22.055), 1)
    told = {
        "file": {
            "valid": file.isValid(),
            "crs": file.crs().authid(),
            "size": [file.width(), file.height()],
            "value": value if is_value else None,
            "extent": file.extent().toString(4),
        }
    }
    tiles = QgsRasterLayer(f"type=xyz&zmin=5&zmax=14&url={tiles_url}", "pictures", "wms")
    told["tiles"] = {"valid": tiles.isValid(), "crs": tiles.crs().authid()}
    settings = QgsMapSettings()
    settings.setLayers([tiles])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    settings.setExtent(QgsRectangle(11577226, 2513000, 11610622, 2525000))
    settings.setOutputSize(QSize(600, 220))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(picture_path)
    colours = {image.pixelColor(x, y).name() for x in range(0, 600, 10) for y in range(0, 220, 10)}
    told["colours"] = sorted(colours)
    print("JSON:" + json.dumps(told), flush=True)  # QGIS may die as it ends
    application.exitQgis()


main(*sys.argv[1:])
