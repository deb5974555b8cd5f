"""Tiles kept in memory, within a bound, each made once however many ask for it at a time."""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Self

_LEAST_WORTH_PACKING = 512


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
        return cls(gzip.compress(content, 5, mtime=0), digest, gzipped=True)

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.body) if self.gzipped else self.body


@dataclass(frozen=True, slots=True)
class Made:
    """What a maker made, and the key under which it is true: the state that it really read."""

    key: Hashable
    packed: Packed


class TileCache:
    """Least recently used go first when `most_bytes` are held."""

    def __init__(self, most_bytes: int = 128 * 2**20) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Packed] = OrderedDict()
        self._being_made: dict[Hashable, Future[Packed]] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Packed:
        """What is kept under the key, else what `make` makes; others who ask meanwhile wait.

        An error of `make` reaches all who wait, and nothing is kept.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            waiting = self._being_made.get(key)
            if waiting is None:
                future = self._being_made[key] = Future[Packed]()
        if waiting is not None:
            return waiting.result()
        return self._make(key, make, future)

    def _make(self, key: Hashable, make: Callable[[], Made], future: Future[Packed]) -> Packed:
        try:
            made = make()
            self._keep(made)
            future.set_result(made.packed)
            return made.packed
        except BaseException as error:
            future.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._being_made[key]

    def _keep(self, made: Made) -> None:
        size = len(made.packed.body)
        with self._lock:
            before = self._kept.pop(made.key, None)
            self.held_bytes += size - (len(before.body) if before else 0)
            self._kept[made.key] = made.packed
            while self.held_bytes > self.most_bytes:
                _, gone = self._kept.popitem(last=False)
                self.held_bytes -= len(gone.body)
