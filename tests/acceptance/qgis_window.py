"""Runs in QGIS's own Python: the project as a person sees it, as a picture.

`qgis_window.py PROJECT PICTURE`: the legend beside the map. With a third word, the id of a layer,
and a fourth, a filter: the table of that layer instead.
"""

import sys

from qgis.core import QgsApplication, QgsFeatureRequest, QgsLayerTreeModel, QgsProject
from qgis.gui import QgsAttributeEditorContext, QgsDualView, QgsLayerTreeView, QgsMapCanvas
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtWidgets import QHBoxLayout, QWidget

WAIT_MS = 20_000
WIDTH = 185


def main(project_path, picture_path, layer_id=None, subset=""):
    application = QgsApplication([], True)
    application.initQgis()
    project = QgsProject.instance()
    assert project.read(project_path)
    window = QWidget()
    if layer_id is None:
        show_map(project, window)
    else:
        show_table(layer_of(project, layer_id), subset, window)
    waiting = QEventLoop()
    QTimer.singleShot(WAIT_MS, waiting.quit)
    waiting.exec_()
    assert window.grab().save(picture_path)
    project.clear()
    application.exitQgis()


def layer_of(project, layer_id):
    named = f"{layer_id}_items"
    return next(one for one in project.mapLayers().values() if one.id().startswith(named))


def show_map(project, window):
    window.resize(1200, 720)
    across = QHBoxLayout(window)
    model = QgsLayerTreeModel(project.layerTreeRoot(), window)
    tree = QgsLayerTreeView()
    tree.setModel(model)
    tree.expandAllNodes()
    tree.setFixedWidth(360)
    canvas = QgsMapCanvas()
    canvas.setDestinationCrs(project.crs())
    canvas.setLayers(project.layerTreeRoot().checkedLayers())
    communes = layer_of(project, "communes")
    extent = canvas.mapSettings().layerExtentToOutputExtent(communes, communes.extent())
    across.addWidget(tree)
    across.addWidget(canvas)
    window.show()
    canvas.setExtent(extent)


def show_table(layer, subset, window):
    """QGIS's own attribute table, with what the filter leaves."""
    assert layer.setSubsetString(subset)
    window.resize(1200, 420)
    across = QHBoxLayout(window)
    window.table = QgsDualView(window)
    window.canvas = QgsMapCanvas()
    window.table.init(layer, window.canvas, QgsFeatureRequest(), QgsAttributeEditorContext())
    columns = layer.attributeTableConfig()
    columns.update(layer.fields())
    for column in range(columns.size()):
        columns.setColumnWidth(column, WIDTH)
    window.table.setAttributeTableConfig(columns)
    across.addWidget(window.table)
    window.show()


main(*sys.argv[1:])
