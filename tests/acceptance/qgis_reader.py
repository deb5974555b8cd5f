"""Runs in QGIS's own Python: opens a project, tells as JSON what QGIS makes of it, draws it."""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsFeatureRequest,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

TIMES = {
    "since": "\"valid_at\" >= '2024-09-12T00:00:00Z'",
    "until": "\"valid_at\" <= '2024-09-12T00:00:00Z' AND \"kind\" = 'road'",
    "between": "\"valid_at\" > '2024-09-11T00:00:00' AND \"valid_at\" < '2024-09-12T00:00:00'",
}


def main(project_path, layer_id, expression, picture_path):
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    told = {"read": project.read(project_path), "crs": project.crs().authid(), "layers": {}}
    for layer in project.mapLayers().values():
        if isinstance(layer, QgsVectorTileLayer):
            told["hexes"] = {
                "valid": layer.isValid(),
                "name": layer.name(),
                "source": layer.source(),
                "styles": [
                    [one.layerName(), one.filterExpression(), one.symbol().color().name()]
                    for one in layer.renderer().styles()
                ],
            }
            continue
        told["layers"][layer.id().split("_")[0]] = {
            "valid": layer.isValid(),
            "name": layer.name(),
            "provider": layer.providerType(),
            "count": layer.featureCount() if layer.isValid() else None,
            "renderer": layer.renderer().type() if layer.isValid() else None,
            "aliases": {
                f.name(): layer.attributeDisplayName(i) for i, f in enumerate(layer.fields())
            },
        }
    told["groups"] = [group.name() for group in project.layerTreeRoot().findGroups()]
    features = f"{layer_id}_items"
    chosen = next(one for one in project.mapLayers().values() if one.id().startswith(features))
    box = QgsFeatureRequest().setFilterRect(QgsRectangle(104.05, 22.29, 104.15, 22.31))
    told["in_box"] = [feature["note"] for feature in chosen.getFeatures(box)]
    request = QgsFeatureRequest().setFilterExpression(expression)
    told["filtered"] = sorted(feature["note"] or "" for feature in chosen.getFeatures(request))
    told["read_all"] = sum(1 for _ in chosen.getFeatures())
    told["subset"] = chosen.setSubsetString(expression)
    told["in_subset"] = sum(1 for _ in chosen.getFeatures())
    for name, times in TIMES.items():
        chosen.setSubsetString(times)
        told[name] = sorted(feature["note"] for feature in chosen.getFeatures())
    chosen.setSubsetString("")
    told["colours"] = draw(project, chosen, picture_path)
    print("JSON:" + json.dumps(told))
    project.clear()
    application.exitQgis()


def draw(project, layer, path):
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(project.crs())
    box = settings.layerExtentToOutputExtent(layer, layer.extent())
    box.grow(2000)
    settings.setExtent(box)
    settings.setOutputSize(QSize(400, 400))
    settings.setBackgroundColor(QColor(255, 255, 255))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(path)
    counts = {}
    for x in range(image.width()):
        for y in range(image.height()):
            name = image.pixelColor(x, y).name()
            counts[name] = counts.get(name, 0) + 1
    return counts


main(*sys.argv[1:])
