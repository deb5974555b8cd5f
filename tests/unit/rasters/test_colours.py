"""Each raster layer of the project: its picture has the colours of its legend."""

import numpy as np
import pytest
import rasterio

from gis.rasters.raster import RasterQuantity
from layers.definition.catalogue import read_catalogue
from layers.definition.raster import RasterLayer
from layers.style.raster import colour, label_of, raster_legend
from tests.conftest import LAYERS

RASTERS = read_catalogue(LAYERS).rasters


def drawn(layer, values):
    pixels = np.atleast_2d(np.asarray(values))
    picture = colour(layer, pixels, np.ones(pixels.shape, bool))
    return [f"#{bytes(picture[:3, 0, n]).hex()}" for n in range(pixels.shape[1])], picture[3]


@pytest.mark.parametrize("layer", RASTERS, ids=lambda layer: layer.id)
def test_the_picture_has_the_colours_of_the_legend(layer):
    classes = layer.style.classes
    values = [each.at_least if each.value is None else each.value for each in classes]
    kind = np.uint8 if layer.quantity is RasterQuantity.CLASS else np.float32
    colours, alpha = drawn(layer, np.array(values, kind))
    legend = raster_legend(layer)
    near = 2 if layer.style.mixed else 0  # of shades that no eye tells apart
    for mine, entry in zip(colours, legend, strict=True):
        parts = [int(text[n : n + 2], 16) for text in (mine, entry.colour) for n in (1, 3, 5)]
        assert max(abs(a - b) for a, b in zip(parts[:3], parts[3:], strict=True)) <= near
    assert (alpha == 255).all()
    assert [entry.label for entry in raster_legend(layer, "en")] == [
        each.label.en for each in classes
    ]


@pytest.mark.parametrize("layer", RASTERS, ids=lambda layer: layer.id)
def test_what_is_in_no_class_or_has_no_value_is_transparent(layer):
    if layer.quantity is RasterQuantity.CLASS:
        unknown = np.array([[250]], np.uint8)
        assert label_of(layer, 250) is None
        assert label_of(layer, layer.style.classes[0].value) == layer.style.classes[0].label.vi
    else:
        unknown = np.array([[layer.style.classes[0].at_least - 1]], np.float32)
    assert colour(layer, unknown, np.ones((1, 1), bool))[3, 0, 0] == 0
    nothing = np.full((1, 1), np.nan if unknown.dtype.kind == "f" else 1, unknown.dtype)
    assert colour(layer, nothing, np.zeros((1, 1), bool))[3, 0, 0] == 0


def test_between_two_bounds_colours_are_mixed():
    layer = next(each for each in RASTERS if each.style.mixed)
    low, high = layer.style.classes[1:3]
    (middle,), _ = drawn(layer, np.array([(low.at_least + high.at_least) / 2], np.float32))
    for n in (1, 3, 5):
        ends = sorted(int(each.colour[n : n + 2], 16) for each in (low, high))
        assert abs(int(middle[n : n + 2], 16) - sum(ends) / 2) <= 2


@pytest.mark.parametrize("layer", RASTERS, ids=lambda layer: layer.id)
def test_a_layer_is_the_same_by_its_file_and_as_published(layer):
    assert RasterLayer.model_validate(layer.model_dump(mode="json")) == layer


def test_drivers_that_pictures_need_are_there():
    with rasterio.Env() as env:
        assert {"PNG", "WEBP", "GTiff"} <= set(env.drivers())
