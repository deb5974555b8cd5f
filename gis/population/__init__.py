"""Inhabitants by hex: loaded from a raster or a table of communes, stored in the database."""
