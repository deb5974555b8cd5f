"""Zip archives of files: members that may be taken out, within bounds.

A zip can hold names that lead elsewhere, links, and a thousand times its size. Only members of
known formats are taken out, under names of our own.
"""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gis.errors import BadFile

MAX_UNPACKED_BYTES = 4 * 2**30
_MAX_MEMBERS = 10_000
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".kmz")
_SYSTEM = ("__macosx/", ".ds_store", "thumbs.db")
_ENCRYPTED = 0x1
# What zipfile raises for a broken archive; NotImplementedError is a RuntimeError.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive whose members are all within bounds; raises BadFile."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive.infolist())
            yield archive
    except BROKEN:
        raise BadFile(
            "không phải tệp zip lành lặn / is no zip file, or a broken one; pack it again"
        ) from None


def check_members(members: Sequence[zipfile.ZipInfo]) -> None:
    """Raises BadFile for an archive that is too large, locked, or holds names or links that lead
    elsewhere."""
    if len(members) > _MAX_MEMBERS:
        raise BadFile(
            f"zip có {len(members)} tệp, nhiều nhất {_MAX_MEMBERS} / "
            f"the zip holds {len(members)} files, at most {_MAX_MEMBERS} are read"
        )
    if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise BadFile("giải nén ra quá 4 GiB; hãy chia nhỏ / unpacks to more than 4 GiB; split it")
    for member in members:
        fault = _fault(member)
        if fault is not None:
            name = member.filename[:80]
            raise BadFile(f"zip có “{name}”: {fault}; hãy nén lại / pack it again without it")


def data_members(
    archive: zipfile.ZipFile, suffixes: tuple[str, ...], folders: tuple[str, ...] = ()
) -> list[str]:
    """Names of members of formats that are read; of a `folder` such as x.gdb/, the folder's.

    Raises BadFile where there is only an archive in the archive.
    """
    names = [name for name in archive.namelist() if not _is_system(name)]
    inside = dict.fromkeys(
        folder for name in names if (folder := _folder_of(name, folders)) is not None
    )
    files = [
        name
        for name in names
        if name.lower().endswith(suffixes) and _folder_of(name, folders) is None
    ]
    nested = [name for name in names if name.lower().endswith(_ARCHIVES)]
    if nested and not (inside or files):
        raise BadFile(
            f"zip trong zip (“{nested[0][:80]}”) không được đọc; hãy giải nén trước / "
            "a zip in the zip is not read; unpack it first"
        )
    return sorted([*inside, *files])


def take_out(archive: zipfile.ZipFile, name: str, folder: Path) -> Path:
    """The path of a member, taken out into `folder` with its sidecar files (those of its stem)."""
    if any(member.startswith(f"{name}/") for member in archive.namelist()):
        members = [each for each in archive.namelist() if each.startswith(f"{name}/")]
        target = folder / f"data{PurePosixPath(name).suffix.lower()}"
        target.mkdir()
        for member in members:
            if PurePosixPath(member).parent == PurePosixPath(name) and not member.endswith("/"):
                _copy(archive, member, target / PurePosixPath(member).name)
        return target
    stem = name[: len(name) - len(PurePosixPath(name).suffix)]
    for member in archive.namelist():
        rest = member[len(stem) :].lower()
        if member.startswith(f"{stem}.") and "/" not in rest:
            _copy(archive, member, folder / f"data{rest}")
    return folder / f"data{name[len(stem) :].lower()}"


def _copy(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """Copy one member, which gives no more bytes than the archive declares."""
    with archive.open(member) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)


def _folder_of(name: str, endings: Iterable[str]) -> str | None:
    parts = PurePosixPath(name).parts
    for depth, part in enumerate(parts, start=1):
        if part.lower().endswith(tuple(endings)) and (depth < len(parts) or name.endswith("/")):
            return "/".join(parts[:depth])
    return None


def _is_system(name: str) -> bool:
    lower = name.lower()
    return lower.startswith(_SYSTEM[0]) or lower.endswith(_SYSTEM[1:])


def _fault(member: zipfile.ZipInfo) -> str | None:
    name = member.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not name or "\0" in name or ".." in parts or name.startswith(("/", "\\")) or ":" in name:
        return "tên dẫn ra ngoài / a name that leads elsewhere"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "liên kết / a link"
    if member.flag_bits & _ENCRYPTED:
        return "có mật khẩu / it has a password"
    return None
