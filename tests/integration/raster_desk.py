"""A database, a folder of rasters, and what tests do with both."""

from starlette.testclient import TestClient

from api.app import create_app
from gis.rasters.loader import RasterOptions, add_rasters, run_here
from gis.rasters.store import stored_stack
from gis.settings import Settings
from gis.values import BBox
from tests.raster_files import write_raster


def adding(database, catalogue, folder):
    """How `gis rasters demo` adds a raster, read in this process."""

    def add(layer_id, path, time):
        given = RasterOptions("test", time=time, nodata=(), simulated=True, source="demo")
        add_rasters(
            database, folder, layer_id, catalogue.raster(layer_id).spec, path, given, AREA,
            run=run_here,
        )  # fmt: skip

    return add


AREA = BBox(104.0, 22.0, 104.3, 22.1)


class Desk:
    """Files are written into `folder`, their rasters into a home within it."""

    def __init__(self, database, catalogue, folder):
        self.database, self.catalogue, self.folder = database, catalogue, folder
        self.home = folder / "home"
        self.settings = Settings(_env_file=None, home=self.home)

    def add(self, layer_id, values, name="a.tif", *, file=None, **options):
        path = write_raster(self.folder / name, values, **(file or {}))
        return self.add_path(layer_id, path, **options)

    def add_path(self, layer_id, path, **options):
        layer = self.catalogue.raster(layer_id)
        given = RasterOptions("test", **options)
        return add_rasters(
            self.database, self.settings.rasters, layer.id, layer.spec, path, given, AREA
        )

    def stack(self, layer_id):
        with self.database.reading() as connection:
            return stored_stack(connection, layer_id)

    def client(self):
        return TestClient(
            create_app(self.settings, self.database, self.catalogue), base_url="http://localhost"
        )

    def files(self):
        return sorted(path for path in self.settings.rasters.rglob("*") if path.is_file())
