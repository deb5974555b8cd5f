"""A running service takes up the layer files that `gis layers sync` published meanwhile."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Row, text

from gis.database.engine import Database
from gis.errors import BadLayerFile
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.definition.model import Layer

log = structlog.get_logger("layers")


class LayerFiles:
    """The layers in force, `catalogue`: those of the files that were published last.

    Files that were edited and not yet synced change nothing. Nor do files that cannot be read,
    whatever was published: the last good layers stay in force, and `faults` has the reasons. But
    nobody sees more than what is published allows: a layer whose rights were changed is taken as
    published.
    """

    def __init__(self, database: Database, folder: Path, known: Catalogue, *more: Path) -> None:
        self._database = database
        self._folders = (folder, *more)
        self._lock = threading.Lock()
        self._published: Mapping[str, str] | None = None  # at the last evaluation
        self._written = known  # what the files said when they could be read
        self._stamps: Mapping[tuple[int, str], object] = {}
        self._state: str | None = None  # of all that is published, at the last evaluation
        self.catalogue = known
        self.faults: tuple[str, ...] = ()  # each as `file: what, and what would be right`

    @property
    def bad_files(self) -> int:
        return len({fault.partition(":")[0] for fault in self.faults})

    def faults_of(self, layer: Layer) -> list[str]:
        return [fault for fault in self.faults if fault.startswith(f"{layer.id}.yaml:")]

    def is_current(self, published: Mapping[str, str]) -> bool:
        """True where `catalogue` is by these published digests, by layer."""
        return published == self._published

    def knows(self, layer_id: str, digest: str) -> bool:
        """True where the layer was published with this digest when it was last read."""
        return self._published is not None and self._published.get(layer_id) == digest

    def follow(self) -> None:
        """Read the published digests, and the files where one of them was changed.

        Cheap where nothing has changed: it is asked each second.
        """
        with self._lock:
            stamps: dict[tuple[int, str], object] = {}
            for number, folder in enumerate(self._folders):
                stamps |= {(number, name): stamp for name, stamp in _stamps(folder).items()}
            ((state,),) = self._database.ask(_STATE, {})
            if stamps == self._stamps and state == self._state:
                return
            if stamps != self._stamps:
                self._read()
                self._stamps = stamps
            with self._database.reading() as connection:
                rows = connection.execute(_PUBLISHED).all()
            published = {row.id: row.digest for row in rows if row.published}
            if published != _digests(self.catalogue):
                known = published == _digests(self._written)
                self.catalogue = self._written if known else _restricted(self.catalogue, rows)
            self._published, self._state = published, state

    def _read(self) -> None:
        try:
            self._written = read_catalogue(*self._folders)
            faults: tuple[str, ...] = ()
        except BadLayerFile as error:
            faults = tuple(str(error).splitlines())
        if faults and faults != self.faults:
            log.error("the last good layers stay in force", faults=faults)
        self.faults = faults


_STATE = (
    "SELECT md5(string_agg(concat_ws(' ', id, digest, published), ';' ORDER BY id)) FROM gis.layer"
)
_PUBLISHED = text("SELECT id, digest, published, definition FROM gis.layer")
_RIGHTS = ("access", "fields", "tiles", "hexes", "source")  # who sees what, in which columns


def _restricted(known: Catalogue, rows: Sequence[Row[Any]]) -> Catalogue:
    """The layers that are known, those whose rights are others by now as they are published.

    What this version of the service cannot read of them it does not serve.
    """
    now = {row.id: row for row in rows}
    layers = [_as_published(layer, known, now.get(layer.id)) for layer in known.layers]
    left = tuple(layer for layer in layers if layer is not None)
    if left == known.layers:
        return known
    digests = {layer.id: now[layer.id].digest for layer in left if layer.id in now}
    return replace(known, layers=left, digests={**known.digests, **digests})


def _as_published(layer: Layer, known: Catalogue, row: Row[Any] | None) -> Layer | None:
    if row is None or not row.published:  # such a file was never synced, and has no table
        return None
    if row.digest == known.digest_of(layer):
        return layer
    definition = layer.model_dump(mode="json")
    if all(definition.get(section) == row.definition.get(section) for section in _RIGHTS):
        return layer
    try:
        return Layer.model_validate(row.definition)
    except ValidationError as error:
        log.error("a layer is not served", layer=layer.id, why=f"{error.error_count()} faults")
        return None


_SUFFIXES = (".yaml", ".yml")


def _stamps(folder: Path) -> dict[str, object]:
    """Stamps that change whenever a file does, by name of the file."""
    try:
        with os.scandir(folder) as entries:
            return {one.name: _stamp(one) for one in entries if one.name.endswith(_SUFFIXES)}
    except OSError:  # there is no such folder
        return {}


def _stamp(path: "os.DirEntry[str]") -> object:
    try:
        status = path.stat()
    except OSError as error:  # a link to nowhere, or gone since
        return error.errno
    return status.st_ino, status.st_size, status.st_mtime_ns


def _digests(catalogue: Catalogue) -> dict[str, str]:
    return {layer.id: catalogue.digest_of(layer) for layer in catalogue.layers}
