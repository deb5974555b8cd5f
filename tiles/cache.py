"""Tiles kept in memory, within a bound, each made once however many ask for it at a time."""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Self

from isal import igzip

from tiles.state import LayerState

_LEAST_WORTH_PACKING = 512
_PACKING = 1  # a quarter of the time of zlib's, for as many bytes


@dataclass(frozen=True, slots=True)
class Packed:
    """An answer as it travels: compressed where that is worth it. `digest` is of the content."""

    body: bytes
    digest: str
    gzipped: bool

    @classmethod
    def of(cls, content: bytes) -> Self:
        digest = hashlib.blake2b(content, digest_size=12).hexdigest()
        if len(content) < _LEAST_WORTH_PACKING:
            return cls(content, digest, gzipped=False)
        return cls(igzip.compress(content, _PACKING, mtime=0), digest, gzipped=True)

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.body) if self.gzipped else self.body


@dataclass(frozen=True, slots=True)
class Made:
    """A tile, and the state of the layer that was really read for it."""

    state: LayerState
    packed: Packed


class TileCache:
    """One entry a key, with the state of which it is true; the least recently used go first when
    `most_bytes` are held.
    """

    def __init__(self, most_bytes: int = 128 * 2**20) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Made] = OrderedDict()
        self._being_made: dict[Hashable, Future[Made]] = {}

    def entry(self, key: Hashable) -> Made | None:
        """What is kept under the key, of whatever state."""
        with self._lock:
            made = self._kept.get(key)
            if made is not None:
                self._kept.move_to_end(key)
            return made

    def confirm(self, key: Hashable, made: Made, state: LayerState) -> None:
        """What is kept is true of this state as well."""
        with self._lock:
            if self._kept.get(key) is made:
                self._kept[key] = replace(made, state=state)

    def is_new(self, key: Hashable) -> bool:
        """Whether nothing is kept under the key, nor being made."""
        with self._lock:
            return key not in self._kept and key not in self._being_made

    def first(self, key: Hashable, maker: Callable[[], Made]) -> Packed | None:
        """What `maker` makes where the key is new: nobody need know its state before.

        None where it is not: who asks now may have to see more than what is being made.
        """
        with self._lock:
            if key in self._kept or key in self._being_made:
                return None
            future = self._being_made[key] = Future[Made]()
        return self._make(key, maker, future)

    def make(self, key: Hashable, state: LayerState, maker: Callable[[], Made]) -> Packed:
        """What is kept of this state, else what `maker` makes; others who ask meanwhile wait, and
        make it anew where it turns out to be of another state than theirs.

        An error of `maker` reaches all who wait, and nothing is kept.
        """
        while True:
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None and kept.state == state:
                    return kept.packed
                waiting = self._being_made.get(key)
                if waiting is None:
                    future = self._being_made[key] = Future[Made]()
            if waiting is None:
                return self._make(key, maker, future)
            made = waiting.result()
            if made.state == state:
                return made.packed

    def _make(self, key: Hashable, maker: Callable[[], Made], future: Future[Made]) -> Packed:
        try:
            made = maker()
            self._keep(key, made)
            future.set_result(made)
            return made.packed
        except BaseException as error:
            future.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._being_made[key]

    def _keep(self, key: Hashable, made: Made) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            self.held_bytes += len(made.packed.body) - (len(before.packed.body) if before else 0)
            self._kept[key] = made
            while self.held_bytes > self.most_bytes:
                _, gone = self._kept.popitem(last=False)
                self.held_bytes -= len(gone.packed.body)
