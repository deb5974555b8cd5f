"""Runs in QGIS's own Python: adds, changes and deletes a feature, and tells as JSON how it went."""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsVectorLayer,
)


def main(*arguments):
    application = QgsApplication([], False)
    application.initQgis()
    result = edit(*arguments)  # its layer is gone before QGIS ends, which would crash with it
    print("JSON:" + json.dumps(result), flush=True)
    application.exitQgis()


def edit(url, collection, key, note):
    source = f"url='{url}' typename='{collection}' username='{key}' password='x'"
    layer = QgsVectorLayer(source, collection, "OAPIF")
    result = {"valid": layer.isValid()}
    result["can_add"] = bool(layer.dataProvider().capabilities() & layer.dataProvider().AddFeatures)
    result["added"] = commit(layer, lambda: add(layer, note))
    feature = find(layer, note)
    result["found"] = feature is not None
    if feature is None:
        return result
    changed = note + " (2)"
    index = layer.fields().indexOf("note")
    result["changed"] = commit(
        layer, lambda: layer.changeAttributeValue(feature.id(), index, changed)
    )
    result["deleted"] = commit(layer, lambda: layer.deleteFeature(find(layer, changed).id()))
    result["gone"] = find(layer, changed) is None
    return result


def add(layer, note):
    feature = QgsFeature(layer.fields())
    feature["kind"] = "road_closed"
    feature["note"] = note
    feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(104.0, 22.3)))
    return layer.addFeature(feature)


def commit(layer, act):
    """The edit as QGIS sees it: stored or not, and its messages."""
    layer.startEditing()
    if not act():
        layer.rollBack()
        return {"stored": False, "errors": ["refused before it was sent"]}
    stored = layer.commitChanges()
    errors = layer.commitErrors()
    if not stored:
        layer.rollBack()
    return {"stored": stored, "errors": errors}


def find(layer, note):
    layer.dataProvider().reloadData()
    request = QgsFeatureRequest().setFilterExpression(f"\"note\" = '{note}'")
    return next(layer.getFeatures(request), None)


main(*sys.argv[1:])
