"""Inhabitants by hex: from a raster or a table of communes (loading), as they are kept (store)."""
