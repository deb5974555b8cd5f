"""Runs in QGIS's own Python: the project as a person sees it, legend beside map, as a picture."""

import sys

from qgis.core import QgsApplication, QgsLayerTreeModel, QgsProject
from qgis.gui import QgsLayerTreeView, QgsMapCanvas
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtWidgets import QHBoxLayout, QWidget

WAIT_MS = 20_000


def main(project_path, picture_path):
    application = QgsApplication([], True)
    application.initQgis()
    project = QgsProject.instance()
    assert project.read(project_path)
    window = QWidget()
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
    communes = next(
        one for one in project.mapLayers().values() if one.id().startswith("communes_items")
    )
    extent = canvas.mapSettings().layerExtentToOutputExtent(communes, communes.extent())
    across.addWidget(tree)
    across.addWidget(canvas)
    window.show()
    canvas.setExtent(extent)
    waiting = QEventLoop()
    QTimer.singleShot(WAIT_MS, waiting.quit)
    waiting.exec_()
    assert window.grab().save(picture_path)
    project.clear()
    application.exitQgis()


main(*sys.argv[1:])
