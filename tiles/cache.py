"""Tile cache in memory, within a bound; a tile is drawn once for all concurrent requests."""

import hashlib
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from cachetools import LRUCache
from isal import igzip, isal_zlib

from tiles.state import LayerState

_LEAST_WORTH_PACKING = 512
_PACKING = 1  # a quarter of the time of zlib's, for as many bytes
ENTRY_BYTES = 1_000  # of an entry beside its body: key, state, digest; nearly all of an empty tile
_GZIP_BITS = 31  # a window of 32 kB in the wrapping of gzip


@dataclass(frozen=True, slots=True)
class PackedTile:
    """A tile as it travels: gzipped from 512 bytes on. `digest` is of the content, uncompressed.

    `beyond`: it is empty, and lies beyond the limits of its tileset (tiles.limits).
    """

    body: bytes
    digest: str
    gzipped: bool
    beyond: bool = False

    @classmethod
    def of(cls, content: bytes, beyond: bool = False) -> Self:
        digest = hashlib.blake2b(content, digest_size=12).hexdigest()
        if len(content) < _LEAST_WORTH_PACKING:
            return cls(content, digest, gzipped=False, beyond=beyond)
        return cls(igzip.compress(content, _PACKING, mtime=0), digest, gzipped=True)

    @property
    def content(self) -> bytes:
        return isal_zlib.decompress(self.body, wbits=_GZIP_BITS) if self.gzipped else self.body


@dataclass(frozen=True, slots=True)
class DrawnTile:
    """A tile with the state of the layer in the snapshot that it was drawn from."""

    state: LayerState
    packed: PackedTile


def _entry_bytes(drawn: DrawnTile) -> int:
    return ENTRY_BYTES + len(drawn.packed.body)


class TileCache:
    """One entry a key, with the state of which it is true; the least recently used are evicted
    when `most_bytes` are held.

    Tiles that were requested without gzip are also held unpacked, in up to half of these bytes:
    to unpack a tile takes longer than all else that a cached one needs.
    """

    def __init__(self, most_bytes: int = 128 * 2**20) -> None:
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        self._tiles: LRUCache[Hashable, DrawnTile] = LRUCache(most_bytes, getsizeof=_entry_bytes)
        # By digest.
        self._unpacked: LRUCache[str, bytes] = LRUCache(most_bytes // 2, getsizeof=len)
        self._pending: dict[Hashable, Future[DrawnTile]] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes of all entries and of what is held unpacked."""
        return int(self._tiles.currsize + self._unpacked.currsize)

    def entry(self, key: Hashable) -> DrawnTile | None:
        """The cached tile of a key, of whatever state; None where there is none."""
        with self._lock:
            try:  # `get` would hash the key once more, which is most of what this costs
                return self._tiles[key]
            except KeyError:
                return None

    def content(self, packed: PackedTile) -> bytes:
        """The content of a tile, uncompressed, which is cached as well."""
        if not packed.gzipped:
            return packed.body
        with self._lock:
            content = self._unpacked.get(packed.digest)
        if content is None:
            content = packed.content
            if len(content) <= self._unpacked.maxsize:
                with self._lock:
                    self._unpacked[packed.digest] = content
                    self._make_room()
        return content

    def confirm(self, key: Hashable, drawn: DrawnTile, state: LayerState) -> None:
        """Note that a cached tile is true of this state as well."""
        with self._lock:
            if self._tiles.get(key) is drawn:
                self._tiles[key] = replace(drawn, state=state)

    def is_new(self, key: Hashable) -> bool:
        """True where the tile of a key is neither cached nor being drawn."""
        with self._lock:
            return key not in self._tiles and key not in self._pending

    def pending(self, key: Hashable) -> Future[DrawnTile] | None:
        """The tile of a key that is being drawn, for others to wait for; None where none is."""
        with self._lock:
            return self._pending.get(key)

    def claim(self, key: Hashable) -> "TileClaim | None":
        """The claim to draw a new tile, whose state need not be known before.

        None where it is cached or being drawn: a request that comes now may have to see a later
        state than that one's.
        """
        with self._lock:
            if key in self._tiles or key in self._pending:
                return None
            return self._claimed(key)

    def get_or_draw(
        self, key: Hashable, state: LayerState, draw: Callable[[], DrawnTile]
    ) -> PackedTile:
        """The cached tile of this state, else what `draw` gives. Concurrent requests wait, and draw
        it anew where it turns out not to show their state.

        An error of `draw` reaches all that wait, and nothing is cached.
        """
        while True:
            with self._lock:
                cached = self._tiles.get(key)
                if cached is not None and cached.state == state:
                    return cached.packed
                waiting = self._pending.get(key)
                claim = self._claimed(key) if waiting is None else None
            if claim is not None:
                with claim:
                    return claim.store(draw())
            drawn = _awaited(waiting)
            if drawn is not None and drawn.state.covers(state):
                return drawn.packed

    def _claimed(self, key: Hashable) -> "TileClaim":
        future = self._pending[key] = Future[DrawnTile]()
        return TileClaim(self, key, future)

    def _store(self, key: Hashable, drawn: DrawnTile) -> None:
        with self._lock:
            self._tiles.pop(key, None)
            if _entry_bytes(drawn) <= self.most_bytes:
                self._tiles[key] = drawn
                self._make_room()

    def _make_room(self) -> None:
        while self.held_bytes > self.most_bytes:
            self._tiles.popitem()

    def _release(self, key: Hashable) -> None:
        with self._lock:
            del self._pending[key]


@dataclass(frozen=True, slots=True)
class TileClaim:
    """A context in which one request draws a tile for all that ask for it meanwhile.

    `store` caches it and hands it to those that wait. An error reaches all of them; where the
    request was only cancelled, one of them draws the tile.
    """

    cache: TileCache
    key: Hashable
    future: Future[DrawnTile]

    def __enter__(self) -> Self:
        return self

    def store(self, drawn: DrawnTile) -> PackedTile:
        self.cache._store(self.key, drawn)
        self.future.set_result(drawn)
        return drawn.packed

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        self.cache._release(self.key)
        if isinstance(error, Exception):
            self.future.set_exception(error)
        elif not self.future.done():
            self.future.cancel()


def _awaited(waiting: Future[DrawnTile] | None) -> DrawnTile | None:
    """The tile that another request draws; None where that was cancelled."""
    try:
        return waiting.result() if waiting else None
    except CancelledError:
        return None
