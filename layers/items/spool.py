"""Temporary files in which an answer is made whole before it is sent.

They have no name, so that a process that is killed leaves none behind.
"""

import errno
import io
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gis.errors import BadInput, GisError, Unavailable

_MEGABYTE: Final = 2**20


class Abandoned(GisError):
    """Nobody waits for the answer any more."""


class Spools:
    """The temporary files of a process, together of at most `most` bytes, each of `largest`."""

    def __init__(self, folder: Path, *, largest: int, most: int) -> None:
        self.folder = folder
        self.largest = largest
        self.most = most
        self._lock = threading.Lock()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes that are on disk now."""
        return self._size

    def grow(self, size: int) -> None:
        """Raises Unavailable where there is no room for so many bytes."""
        with self._lock:
            if size > 0 and self._size + size > self.most:
                raise Unavailable("files for other clients fill the room that there is for them")
            self._size += size


class Spool(io.RawIOBase):
    """One such file, written once, then read once.

    Writing raises Unavailable where the disk or the room for all files is full, BadInput for a file
    larger than one may be, and Abandoned after `stop`, which another thread may call.
    """

    def __init__(self, spools: Spools) -> None:
        self._spools = spools
        self._stopped = threading.Event()
        self._size = 0
        spools.folder.mkdir(parents=True, exist_ok=True)
        self._file: Any = tempfile.TemporaryFile(dir=spools.folder)  # noqa: SIM115 (kept open)

    @property
    def folder(self) -> Path:
        return self._spools.folder

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._file.tell())

    def write(self, data: Any) -> int:
        part = memoryview(data).cast("B")
        self.grow_to(self._size + part.nbytes)
        try:
            self._file.write(part)
        except OSError as error:
            raise _disk_error(error) from error
        return part.nbytes

    def grow_to(self, size: int) -> None:
        """Raises as writing does, where it, or what another program writes for it, is so large."""
        if self.stopped:
            raise Abandoned("nobody waits for the file")
        if size > self._spools.largest:
            raise BadInput(
                f"the file would be larger than {self._spools.largest / _MEGABYTE:g} MB: ask for a "
                "smaller area or time, for fewer properties, or for pages"
            )
        self._spools.grow(size - self._size)
        self._size = size

    def take(self, path: Path) -> None:
        """Take over the file that another program has written; it loses its name."""
        self.grow_to(path.stat().st_size)
        self._file.close()
        self._file = path.open("rb")
        path.unlink()

    def rewind(self) -> int:
        """Go back to the start, to be read; gives the size in bytes."""
        try:
            self._file.seek(0)
        except OSError as error:  # what was buffered could not be written
            raise _disk_error(error) from error
        return self._size

    def read(self, size: int = -1) -> bytes:
        part: bytes = self._file.read(size)
        return part

    def close(self) -> None:
        if not self.closed:
            with suppress(OSError):  # the disk is full, and nobody wants the rest
                self._file.close()
            self._spools.grow(-self._size)
        super().close()


def _disk_error(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("the disk of the service is full: its operator has to make room")
    return error
