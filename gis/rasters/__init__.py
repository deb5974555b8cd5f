"""Rasters: the store of Cloud Optimized GeoTIFFs, reads of windows and points, zones, terrain.

`raster.py` has the values, `conversion.py` runs in a confined child and makes the files, `store.py`
their rows; all else reads files. What imports rasterio is imported when it is used: a serving
process that nobody asks for a raster never loads it.
"""
