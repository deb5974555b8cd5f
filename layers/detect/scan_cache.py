"""Cache of scans: in an evaluation most streams are as they were in the one before."""

from hashlib import blake2b

import pandas as pd

from layers.definition.model import ScanOptions
from layers.detect.scan import Floats, Stream, StreamScan, by_all, scan_stream


class ScanCache:
    """The newest scan of each stream of each layer; one of the same records is not made again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[bytes, StreamScan]] = {}

    def scan(
        self, layer_id: str, stream: Stream, options: ScanOptions, maxima: Floats
    ) -> StreamScan:
        digest = _digest(stream, options, maxima)
        known = self._known.get((layer_id, stream.name))
        if known is None or known[0] != digest:
            known = digest, scan_stream(stream, options, by_all(maxima))
            self._known[layer_id, stream.name] = known
        return known[1]


def _digest(stream: Stream, options: ScanOptions, maxima: Floats) -> bytes:
    """Digest of all that a scan goes by."""
    stratified = stream.strata is not None
    digest = blake2b(f"{stream.last_day} {stratified} {options!r}".encode())
    for numbers in (stream.cells, stream.place, stream.day, maxima):
        digest.update(numbers.tobytes())
    for windows in stream.windows:
        for numbers in (windows.place, windows.keys, windows.first, windows.last):
            digest.update(numbers.tobytes())
    digest.update(pd.util.hash_pandas_object(stream.evidence, index=False).to_numpy().tobytes())
    return digest.digest()
