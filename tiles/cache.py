"""Tiles kept in memory, within a bound, each made once however many ask for it at a time."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from isal import igzip, isal_zlib

from tiles.state import LayerState

_LEAST_WORTH_PACKING = 512
_PACKING = 1  # a quarter of the time of zlib's, for as many bytes
_GZIP_BITS = 31  # a window of 32 kB in the wrapping of gzip


@dataclass(frozen=True, slots=True)
class PackedTile:
    """An answer as it travels: compressed where that is worth it. `digest` is of the content.

    `beyond`: it is empty, and lies beyond the limits of its tileset (tiles.limits).
    """

    body: bytes
    digest: str
    gzipped: bool
    beyond: bool = False

    @classmethod
    def of(cls, content: bytes) -> Self:
        digest = hashlib.blake2b(content, digest_size=12).hexdigest()
        if len(content) < _LEAST_WORTH_PACKING:
            return cls(content, digest, gzipped=False)
        return cls(igzip.compress(content, _PACKING, mtime=0), digest, gzipped=True)

    @property
    def content(self) -> bytes:
        return isal_zlib.decompress(self.body, wbits=_GZIP_BITS) if self.gzipped else self.body


@dataclass(frozen=True, slots=True)
class DrawnTile:
    """A tile, and the state of the layer that was really read for it."""

    state: LayerState
    packed: PackedTile


class TileCache:
    """One entry a key, with the state of which it is true; the least recently used go first when
    `most_bytes` are held.

    What is asked for unpacked is kept so too, in up to half of these bytes: to unpack a tile takes
    longer than all else that a kept one needs.
    """

    def __init__(self, most_bytes: int = 128 * 2**20) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, DrawnTile] = OrderedDict()
        self._unpacked: OrderedDict[str, bytes] = OrderedDict()  # by digest
        self._unpacked_bytes = 0  # of those held
        self._being_made: dict[Hashable, Future[DrawnTile]] = {}

    def entry(self, key: Hashable) -> DrawnTile | None:
        """What is kept under the key, of whatever state."""
        with self._lock:
            made = self._kept.get(key)
            if made is not None:
                self._kept.move_to_end(key)
            return made

    def content(self, packed: PackedTile) -> bytes:
        """What was packed, which is at hand from now on."""
        if not packed.gzipped:
            return packed.body
        with self._lock:
            found = self._unpacked.get(packed.digest)
            if found is not None:
                self._unpacked.move_to_end(packed.digest)
                return found
        content = packed.content
        with self._lock:
            if packed.digest not in self._unpacked:
                self._unpacked[packed.digest] = content
                self._unpacked_bytes += len(content)
                self.held_bytes += len(content)
                self._make_room()
        return content

    def confirm(self, key: Hashable, made: DrawnTile, state: LayerState) -> None:
        """What is kept is true of this state as well."""
        with self._lock:
            if self._kept.get(key) is made:
                self._kept[key] = replace(made, state=state)

    def is_new(self, key: Hashable) -> bool:
        """Whether nothing is kept under the key, nor being made."""
        with self._lock:
            return key not in self._kept and key not in self._being_made

    def being_made(self, key: Hashable) -> Future[DrawnTile] | None:
        """What others who ask for it wait for."""
        with self._lock:
            return self._being_made.get(key)

    def claim(self, key: Hashable) -> "TileClaim | None":
        """The right to make what is new: nobody need know its state before.

        None where it is not new: who asks now may have to see more than what is being made.
        """
        with self._lock:
            if key in self._kept or key in self._being_made:
                return None
            return self._claimed(key)

    def make(self, key: Hashable, state: LayerState, maker: Callable[[], DrawnTile]) -> PackedTile:
        """What is kept of this state, else what `maker` makes; others who ask meanwhile wait, and
        make it anew where it turns out not to show their state.

        An error of `maker` reaches all who wait, and nothing is kept.
        """
        while True:
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None and kept.state == state:
                    return kept.packed
                waiting = self._being_made.get(key)
                claim = self._claimed(key) if waiting is None else None
            if claim is not None:
                with claim:
                    return claim.keep(maker())
            found = _awaited(waiting)
            if found is not None and found.state.covers(state):
                return found.packed

    def _claimed(self, key: Hashable) -> "TileClaim":
        future = self._being_made[key] = Future[DrawnTile]()
        return TileClaim(self, key, future)

    def _keep(self, key: Hashable, made: DrawnTile) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            self.held_bytes += len(made.packed.body) - (len(before.packed.body) if before else 0)
            self._kept[key] = made
            self._make_room()

    def _make_room(self) -> None:
        while self.held_bytes > self.most_bytes:
            if self._unpacked_bytes > self.most_bytes // 2:
                size = len(self._unpacked.popitem(last=False)[1])
                self._unpacked_bytes -= size
            else:
                size = len(self._kept.popitem(last=False)[1].packed.body)
            self.held_bytes -= size

    def _let_go(self, key: Hashable) -> None:
        with self._lock:
            del self._being_made[key]


@dataclass(frozen=True, slots=True)
class TileClaim:
    """A context in which one makes a tile for all who ask for it meanwhile.

    `keep` tells what was made. An error reaches all who wait; where the maker was only called off,
    one of them makes it.
    """

    cache: TileCache
    key: Hashable
    future: Future[DrawnTile]

    def __enter__(self) -> Self:
        return self

    def keep(self, made: DrawnTile) -> PackedTile:
        self.cache._keep(self.key, made)
        self.future.set_result(made)
        return made.packed

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        self.cache._let_go(self.key)
        if isinstance(error, Exception):
            self.future.set_exception(error)
        elif not self.future.done():
            self.future.cancel()


def _awaited(waiting: Future[DrawnTile] | None) -> DrawnTile | None:
    """What another makes; None where he was called off."""
    try:
        return waiting.result() if waiting else None
    except CancelledError:
        return None
