"""Large pages, kept in memory under their ETag: a page of an unchanged layer is made once.

The ETag holds the question, the layer's version and the audience, so that a change of rows, of the
layer file or of rights asks for another page.
"""

from collections import OrderedDict
from threading import Lock

LEAST_BYTES = 100_000  # smaller ones are made as fast as they are found
MOST_BYTES = 64_000_000


class PageCache:
    """The pages asked for last, at most `most_bytes` of them together."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._pages: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, etag: str) -> bytes | None:
        with self._lock:
            if etag in self._pages:
                self._pages.move_to_end(etag)
            return self._pages.get(etag)

    def keep(self, etag: str, page: bytes) -> None:
        if not LEAST_BYTES <= len(page) <= self._most_bytes // 4:
            return
        with self._lock:
            self._bytes += len(page) - len(self._pages.pop(etag, b""))
            self._pages[etag] = page
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._pages.popitem(last=False)[1])
