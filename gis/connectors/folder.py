"""Connector of a watched folder: each complete file is a batch, and is taken out of the way.

Programs and people put files into the folder. A file whose size and time stay the same for two
looks is complete. Once it is stored it is moved to `done/`, and one that cannot be read to
`failed/` with the reason beside it; records that failed are in a file to correct, in `failed/` too.
"""

import os
import time
from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from gis.clock import HERE
from gis.connectors.connector import Batch, Connector, ConnectorOptions, Cursor, Surroundings
from gis.errors import AmbiguousInput, BadInput, SourceRefused, SourceUnavailable

DONE, FAILED = "done", "failed"
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", ".swp")


class FolderOptions(ConnectorOptions):
    """A folder within that of `GIS_INBOX`, into which files of records are put."""

    path: str = Field(description="The folder, by its path within that of `GIS_INBOX`")
    pattern: str = Field(
        "*", description="Names of the files that are read, such as `*.csv`; others stay"
    )
    whole: bool = Field(
        False,
        description="Each file holds all records of the source, so that what is not in the newest "
        "is gone (see `deletions`)",
    )
    encoding: str | None = Field(None, description="Encoding of text, where it is to be said")
    table: str | None = Field(None, description="One of several tables of a workbook or archive")
    settle_s: float = Field(
        2, ge=0, le=60, description="Seconds between the two looks at the size of a file"
    )

    @field_validator("path")
    @classmethod
    def _stays_within(cls, path: str) -> str:
        if not path or Path(path).is_absolute() or ".." in Path(path).parts:
            raise ValueError("it is a path within the folder of GIS_INBOX, such as `so-xay-dung`")
        return path


class FolderConnector(Connector[FolderOptions]):
    """Files of one folder, the oldest first. The cursor is the file that was stored last."""

    name: ClassVar[str] = "folder"
    label: ClassVar[str] = "Watched folder"
    Options: ClassVar[type[ConnectorOptions]] = FolderOptions

    def __init__(self, options: FolderOptions, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        if surroundings.inbox is None:
            raise BadInput("there is no folder of GIS_INBOX, within which folders are watched")
        self._folder = surroundings.inbox / options.path

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        folder = self._existing()
        first = _files(folder, self.options.pattern)
        if first:
            time.sleep(self.options.settle_s)
        for name, stamp in first.items():
            if _stamp(folder / name) != stamp:
                continue  # it is being written
            at = {"name": name, "size": stamp[0], "mtime_ns": stamp[1]}
            if at == cursor:  # stored, and killed before it was moved
                self.acknowledge(cursor)
                continue
            yield self._batch(folder / name, at)

    def _batch(self, path: Path, cursor: Cursor) -> Batch:
        from gis.intake.chunks import open_chunks

        failures = self._kept(FAILED) / f"{path.name}.failures.csv"
        try:
            chunks = open_chunks(path, encoding=self.options.encoding, table=self.options.table)
        except AmbiguousInput:
            raise  # the answer stands in the layer file, or is given for all files
        except BadInput as error:
            if not self.set_aside(cursor, str(error)):
                raise
            return Batch((), cursor)
        return Batch((), cursor, ends_whole=self.options.whole, file=chunks, failures=failures)

    def acknowledge(self, cursor: Cursor) -> None:
        self._move(cursor, DONE)

    def set_aside(self, cursor: Cursor, why: str) -> bool:
        name = str(cursor.get("name", ""))
        if not self._move(cursor, FAILED):
            return False
        (self._kept(FAILED) / f"{name}.why.txt").write_text(f"{why}\n", encoding="utf-8")
        return True

    def _existing(self) -> Path:
        """The folder. Raises SourceRefused where there is none, or it lies elsewhere."""
        inbox = self.surroundings.inbox
        assert inbox is not None
        if not self._folder.is_dir():
            raise SourceRefused(
                f"thư mục {self.options.path} chưa có trong {inbox}; hãy tạo / there is no folder "
                f"{self.options.path} in {inbox}: make it, and let the service write in it"
            )
        if not self._folder.resolve().is_relative_to(inbox.resolve()):
            raise SourceRefused(
                f"the folder {self.options.path} is a link that leads out of {inbox}"
            )
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise SourceRefused(
                f"dịch vụ không được ghi vào {self._folder} / the service may not write in "
                f"{self._folder}, and so cannot move what it has read"
            )
        return self._folder

    def _kept(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _move(self, cursor: Cursor, where: str) -> bool:
        """Move the file that was stored; False for one that was changed since, which is read
        again.
        """
        path = self._folder / str(cursor.get("name", ""))
        if _stamp(path) != (cursor.get("size"), cursor.get("mtime_ns")):
            return False
        target = self._kept(where) / path.name
        if target.exists():
            now = datetime.now(HERE).strftime("%Y%m%dT%H%M%S%f")
            target = target.with_name(f"{target.stem}.{now}{target.suffix}")
        path.rename(target)
        return True


def _files(folder: Path, pattern: str) -> dict[str, tuple[int, int]]:
    """Size and time of each file of these names, the oldest first."""
    found: dict[str, tuple[int, int]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED):
                    continue
                if entry.is_file(follow_symlinks=False) and fnmatch(name, pattern):
                    status = entry.stat(follow_symlinks=False)
                    found[name] = (status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise SourceUnavailable(f"the folder {folder} cannot be read: {error.strerror}") from error
    return dict(sorted(found.items(), key=lambda item: (item[1][1], item[0])))


def _stamp(path: Path) -> tuple[Any, Any]:
    """Size and time of a file; nothing of one that is gone."""
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns
