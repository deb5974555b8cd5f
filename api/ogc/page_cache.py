"""Large pages, kept in memory under their ETag: a page of an unchanged layer is made once.

The ETag holds the question, the layer's version and the audience, so that a change of rows, of the
layer file or of rights asks for another page.
"""

from threading import Lock

from cachetools import LRUCache

LEAST_BYTES = 100_000  # smaller ones are made as fast as they are found
MOST_BYTES = 64_000_000


class PageCache:
    """The pages asked for last, at most `most_bytes` of them together."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._largest = most_bytes // 4
        self._pages: LRUCache[str, bytes] = LRUCache(most_bytes, getsizeof=len)
        self._lock = Lock()

    def get(self, etag: str) -> bytes | None:
        with self._lock:
            return self._pages.get(etag)

    def keep(self, etag: str, page: bytes) -> None:
        if LEAST_BYTES <= len(page) <= self._largest:
            with self._lock:
                self._pages[etag] = page
