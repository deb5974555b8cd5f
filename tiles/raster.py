"""Pictures of rasters on the grid of web maps: colours by the layer file, shaded relief."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache

from gis.errors import NotFound
from gis.rasters.raster import RasterQuantity, StoredRaster
from layers.definition.raster import RasterLayer
from tiles.grid import EARTH_RADIUS_M, Tile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_importing = threading.Lock()
SIZE_PX = 256
FORMATS = {"png": "image/png", "webp": "image/webp"}
_MOST_BYTES = 32 * 2**20
_STRIPES_PX, _STRIPE_PX = 32, 3  # divides the tile's size, so that stripes go on in the next tile
_SUN_AZIMUTH, _SUN_HEIGHT = 315.0, 45.0  # degrees from north, and above the horizon


def load_libraries() -> None:
    """Import what reads and draws rasters, in one thread at a time.

    Their modules import each other in circles: two threads that begin at once would see half of
    one.
    """
    with _importing:
        import rio_tiler.io

        import gis.rasters.queries

        assert rio_tiler.io and gis.rasters.queries


class RasterPictures:
    """Pictures of one folder of rasters, with a cache of those drawn last.

    The content of a file never changes, nor what a layer file of one digest says: so a picture is
    kept under both and is never out of date.
    """

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._drawn: LRUCache[tuple[object, ...], bytes] = LRUCache(most_bytes, getsizeof=len)

    def picture(
        self, layer: RasterLayer, raster: StoredRaster, tile: Tile, form: str, *, shaded: bool
    ) -> bytes:
        """A picture in a format of FORMATS; transparent where there is no value.

        A simulated raster is striped, so that nobody takes it for the ground. Raises NotFound
        beyond the zooms of the layer.
        """
        require_zoom(layer, tile)
        key = (raster.file, raster.simulated, layer.style, tile, form, shaded)
        with self._lock:
            known = self._drawn.get(key)
        if known is not None:
            return known
        drawn = draw(layer, raster, self.folder, tile, form, shaded=shaded)
        with self._lock:
            if len(drawn) <= self._drawn.maxsize:
                self._drawn[key] = drawn
        return drawn


def require_zoom(layer: RasterLayer, tile: Tile) -> None:
    """Raises NotFound for a layer without pictures, and beyond its zooms."""
    tiles = layer.tiles
    if tiles is None:
        raise NotFound(f"the layer {layer.id} has no tiles")
    if not tiles.min_zoom <= tile.z <= tiles.max_zoom:
        raise NotFound(f"the zooms of {layer.id} are {tiles.min_zoom} to {tiles.max_zoom}")


def draw(
    layer: RasterLayer, raster: StoredRaster, folder: Path, tile: Tile, form: str, *, shaded: bool
) -> bytes:
    """A picture of a raster; raises Unavailable where its file cannot be read."""
    import numpy as np
    from rio_tiler.errors import TileOutsideBounds
    from rio_tiler.io import Reader
    from rio_tiler.utils import render

    from gis.rasters.reading import opened
    from layers.style.raster import colour

    smooth = layer.quantity is not RasterQuantity.CLASS and (layer.style.mixed or shaded)
    with opened(raster.path(folder)) as dataset, Reader(None, dataset=dataset) as reader:
        try:
            image = reader.tile(
                tile.x,
                tile.y,
                tile.z,
                tilesize=SIZE_PX,
                buffer=1 if shaded else None,
                resampling_method="bilinear" if smooth else "nearest",
                reproject_method="bilinear" if smooth else "nearest",
            )
        except TileOutsideBounds:
            return _render(render, np.zeros((4, SIZE_PX, SIZE_PX), np.uint8), form)
    values = image.array[0]
    has_value = ~np.ma.getmaskarray(values)
    if shaded:
        picture = _shade(values.data, has_value, tile)
    else:
        picture = colour(layer, values.data, has_value)
    if raster.simulated:
        _stripe(picture)
    return _render(render, picture, form)


def _render(render: object, picture: "NDArray[np.uint8]", form: str) -> bytes:
    assert callable(render)
    options = {"zlevel": 1} if form == "png" else {"lossless": True}
    made: bytes = render(picture[:3], picture[3], img_format=form, **options)
    return made


def _shade(
    heights: "NDArray[np.floating]", has_value: "NDArray[np.bool_]", tile: Tile
) -> "NDArray[np.uint8]":
    """Relief as black of more or less alpha, to lie over any map."""
    import math

    import numpy as np

    from gis.rasters.terrain import hillshade

    # Web Mercator stretches the ground by 1 / cos(latitude) (Snyder 1987, eq. 7-4).
    middle_m = tile.north_m - tile.size_m / 2
    pixel_m = tile.size_m / SIZE_PX / math.cosh(middle_m / EARTH_RADIUS_M)
    light = hillshade(
        np.where(has_value, heights, np.nan), pixel_m, pixel_m, _SUN_AZIMUTH, _SUN_HEIGHT
    )[1:-1, 1:-1]
    picture = np.zeros((4, SIZE_PX, SIZE_PX), np.uint8)
    flat = math.sin(math.radians(_SUN_HEIGHT))
    dark = np.clip((flat - light) / flat, 0, 1) * 0.7
    bright = np.clip((light - flat) / (1 - flat), 0, 1) * 0.5
    picture[:3] = np.where(light > flat, 255, 0)
    picture[3] = np.rint(255 * np.nan_to_num(np.maximum(dark, bright)))
    return picture


def _stripe(picture: "NDArray[np.uint8]") -> None:
    """White stripes over what is simulated."""
    import numpy as np

    rows, columns = np.indices(picture.shape[1:])
    striped = ((rows + columns) % _STRIPES_PX < _STRIPE_PX) & (picture[3] > 0)
    picture[:, striped] = 255
