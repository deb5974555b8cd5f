"""Tiles kept on disk: for the time after a restart, and for all serving processes together.

A file holds one tile and the state of which it is true; it is sent for that very state alone, and
of the code that made it. The time of the state's change is part of it, so that a database that was
put back and went another way is not taken for the one before.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import structlog

from gis.code_version import code_version
from tiles.cache import DrawnTile, PackedTile
from tiles.state import LayerState

_KEPT_SHARE = 0.9  # of the bound, when files are dropped

log = structlog.get_logger("tiles")


def folder_of(state: LayerState) -> str:
    """The name of the folder of a layer's tiles."""
    return f"{state.layer_id}.{state.derived_from}"


class DiskCache:
    """At most `most_bytes` of files in a folder, the least recently used dropped first.

    The tiles of a layer have a folder of their own, which is another one when the layer, or a field
    of it, is closed. Other processes may use the folder too. What the disk refuses is in the
    log; the tile is answered all the same.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._held_bytes: int | None = None  # as far as this process knows

    def entry(self, key: str, state: LayerState) -> DrawnTile | None:
        """The stored tile of a key and a state; None where there is none, or none that is whole."""
        path = self._path(key, state)
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            header = json.loads(head)
            if header["state"] != asdict(state) or header["sum"] != _sum(body):
                return None
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return DrawnTile(
            state, PackedTile(body, header["digest"], header["gzipped"], header["beyond"])
        )

    def store(self, key: str, drawn: DrawnTile) -> None:
        """Store a tile in place of the one under its key; whole or not at all."""
        packed = drawn.packed
        head = {
            "state": asdict(drawn.state),
            "digest": packed.digest,
            "gzipped": packed.gzipped,
            "beyond": packed.beyond,
            "sum": _sum(packed.body),
        }
        content = json.dumps(head).encode() + b"\n" + packed.body
        try:
            self._write(self._path(key, drawn.state), content)
            self._make_room(len(content))
        except OSError as error:
            log.warning("no tile kept on disk", why=str(error))

    def _path(self, key: str, state: LayerState) -> Path:
        name = hashlib.blake2b(f"{_code()} {key}".encode(), digest_size=20).hexdigest()
        return self._folder / folder_of(state) / name[:2] / name[2:]

    def _write(self, path: Path, content: bytes) -> None:
        # Tiles of layers that are not public lie here too.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{secrets.token_hex(8)}")
        try:
            beside.write_bytes(content)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _make_room(self, more: int) -> None:
        if self._held_bytes is not None and self._held_bytes + more <= self._most_bytes:
            self._held_bytes += more
            return
        files = sorted(self._files())  # the least recently used first
        held = sum(size for _, size, _ in files)
        if held > self._most_bytes:
            held = _dropped(files, held, int(_KEPT_SHARE * self._most_bytes))
        self._held_bytes = held

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, bytes and path of each file."""
        for path in self._folder.glob("*/??/*"):
            with suppress(FileNotFoundError):  # another process dropped it
                found = path.stat()
                yield found.st_mtime, found.st_size, path


def _dropped(files: list[tuple[float, int, Path]], held: int, most: int) -> int:
    """Drop files in their order until at most `most` bytes are held; gives how many are."""
    for _, size, path in files:
        if held <= most:
            break
        path.unlink(missing_ok=True)
        held -= size
    return held


def _sum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def _code() -> str:
    here = Path(__file__).parent
    return code_version(here, here / "hexes")
