"""Load of the population by hex from a file of inhabitants."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd

from gis.database.engine import Database
from gis.errors import BadFile, BadInput
from gis.intake.layout import FOUND, Layout
from gis.placing.reference import read_current_communes
from gis.population.pieces import PeopleByCell, sum_by_cell
from gis.population.raster import SUFFIXES, open_raster
from gis.population.store import Population, PopulationQuality, store_population
from gis.population.table import read_people, spread_evenly

type Progress = Callable[[int, int], None]
type ByCommune = Iterator[list[PeopleByCell]]  # in the order of communes


@dataclass(frozen=True, slots=True)
class PopulationFileOptions:
    """An operator's options for a file; those from `encoding` on are of a table."""

    year: int | None = None
    source: str | None = None
    encoding: str | None = None
    number_format: str | None = None
    table: str | None = None
    layout: Layout = FOUND


@dataclass(frozen=True, slots=True)
class PopulationLoad:
    """The stored population, and codes of communes in which nobody lives by it."""

    population: Population
    communes_without: tuple[str, ...]


def load_population(
    database: Database,
    path: Path,
    options: PopulationFileOptions,
    show: Progress = lambda done, total: None,
) -> PopulationLoad:
    """Replace the stored population by that of a file, by hex; all or nothing.

    A GeoTIFF holds people per pixel; any other file is a table of communes. Raises BadFile,
    AmbiguousInput, and BadInput when no boundaries are loaded.
    """
    communes = _communes(database)
    by_commune: dict[str, PeopleByCell] = {}
    for code, people in zip(communes["code"], _read(path, communes, options), strict=True):
        by_commune[code] = sum_by_cell(people)
        show(len(by_commune), len(communes))
    everybody = sum_by_cell(list(by_commune.values()))
    if len(everybody.cells) == 0:
        raise BadFile(f"{path.name}: nobody lives in the province by this file")
    quality = PopulationQuality.GRIDDED if _is_raster(path) else PopulationQuality.APPROXIMATE
    total = float(everybody.people.sum())
    population = Population(options.source or path.name, options.year, quality, total)
    with database.writing() as connection:
        store_population(connection, everybody, population)
    empty = (code for code, people in by_commune.items() if len(people.cells) == 0)
    return PopulationLoad(population, tuple(empty))


def _communes(database: Database) -> gpd.GeoDataFrame:
    with database.reading() as connection:
        communes = read_current_communes(connection)
    if communes.empty:
        raise BadInput("no boundaries are loaded: run `gis boundaries load`")
    return communes


def _read(path: Path, communes: gpd.GeoDataFrame, options: PopulationFileOptions) -> ByCommune:
    if not path.is_file():
        raise BadFile(f"không có tệp {path} / there is no file {path}")
    return _of_raster(path, communes) if _is_raster(path) else _of_table(path, communes, options)


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _of_raster(path: Path, communes: gpd.GeoDataFrame) -> ByCommune:
    with open_raster(path) as raster:
        for area in communes.geometry:
            yield list(raster.people_of(area))


def _of_table(path: Path, communes: gpd.GeoDataFrame, options: PopulationFileOptions) -> ByCommune:
    people = read_people(
        path,
        set(communes["code"]),
        encoding=options.encoding,
        number_format=options.number_format,
        table=options.table,
        layout=options.layout,
    )
    for code, area in zip(communes["code"], communes.geometry, strict=True):
        yield spread_evenly(area, people.get(code, 0.0))
