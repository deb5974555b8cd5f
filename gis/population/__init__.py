"""Inhabitants by hex: from a raster of people or a table of communes (loading), kept (store)."""

from gis.population.loading import Answers, Loaded, load_population
from gis.population.store import Population, Quality, drop_population, stored_population

__all__ = [
    "Answers",
    "Loaded",
    "Population",
    "Quality",
    "drop_population",
    "load_population",
    "stored_population",
]
