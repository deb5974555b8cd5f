"""A running service takes up the layer files that `gis layers sync` published meanwhile."""

from collections.abc import Mapping
from pathlib import Path

import structlog
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import BadLayerFile
from layers.catalogue import Catalogue, read_catalogue
from layers.model import Layer

log = structlog.get_logger("layers")


class LayerFiles:
    """The layers in force, `catalogue`: those of the files that were published last.

    Files that were edited and not yet synced change nothing. Nor do files that cannot be read,
    whatever was published: the last good layers stay in force, and `faults` tells.
    """

    def __init__(self, database: Database, folder: Path, known: Catalogue) -> None:
        self._database = database
        self._folder = folder
        self._written = known  # what the files said when they could be read
        self._stamps: Mapping[str, object] = {}
        self.catalogue = known
        self.faults: tuple[str, ...] = ()  # each as `file: what, and what would be right`

    @property
    def bad_files(self) -> int:
        return len({fault.partition(":")[0] for fault in self.faults})

    def faults_of(self, layer: Layer) -> list[str]:
        return [fault for fault in self.faults if fault.startswith(f"{layer.id}.yaml:")]

    def follow(self) -> None:
        """Look at what is published, and at the files where any of them was changed."""
        stamps = _stamps(self._folder)
        if stamps != self._stamps:
            self._read()
            self._stamps = stamps
        with self._database.reading() as connection:
            rows = connection.execute(text("SELECT id, digest FROM gis.layer WHERE published"))
            published = {row.id: row.digest for row in rows}
        if published != _digests(self.catalogue) and published == _digests(self._written):
            self.catalogue = self._written

    def _read(self) -> None:
        try:
            self._written = read_catalogue(self._folder)
            faults: tuple[str, ...] = ()
        except BadLayerFile as error:
            faults = tuple(str(error).splitlines())
        if faults and faults != self.faults:
            log.error("the last good layers stay in force", faults=faults)
        self.faults = faults


def _stamps(folder: Path) -> dict[str, object]:
    """What changes whenever a file does."""
    return {path.name: _stamp(path) for path in folder.glob("*.y*ml")}


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:  # a link to nowhere, or gone since
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digests(catalogue: Catalogue) -> dict[str, str]:
    return {layer.id: catalogue.digest_of(layer) for layer in catalogue.layers}
