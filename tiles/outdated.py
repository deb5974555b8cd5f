"""Files that were made before a layer, or a field of it, was closed: deleted.

None of them is handed out from the commit on that closes it. They go right after it, and again when
the service starts, should it be killed between the two.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from gis.database.engine import Database
from tiles.archive import PART, SUFFIX, is_outdated, version_of
from tiles.disk import folder_of
from tiles.state import LayerState, states_of_all

log = structlog.get_logger("tiles")


def delete_outdated(database: Database, archives: Path, tiles: Path) -> int:
    """Delete such archives and tiles on disk, and what exports left that were killed; how many
    files and folders of tiles are gone.
    """
    with database.reading() as connection:
        states = states_of_all(connection)
    gone = 0
    for path in (*_archives(archives, states), *_left(archives), *_folders(tiles, states)):
        with suppress(FileNotFoundError):  # another process deleted it
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone += 1
            log.info("outdated", deleted=path.name)
    return gone


def _archives(folder: Path, states: dict[str, LayerState]) -> Iterator[Path]:
    """A file without a version is none of ours: it stays, and is not handed out."""
    for layer_id, state in states.items():
        path = folder / f"{layer_id}{SUFFIX}"
        if path.is_file() and is_outdated(path, state) and version_of(path):
            yield path


def _left(folder: Path) -> Iterator[Path]:
    for path in folder.glob(f".*{SUFFIX}.*{PART}"):
        number = path.name.removesuffix(PART).rpartition(".")[2]
        if number.isdecimal() and not _runs(int(number)):
            yield path


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _folders(folder: Path, states: dict[str, LayerState]) -> Iterator[Path]:
    current = {folder_of(state) for state in states.values()}
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.name not in current)
