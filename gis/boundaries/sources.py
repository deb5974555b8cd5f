"""Sources of boundaries: the first that exists is used, after a check."""

import csv
import hashlib
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from gis.boundaries.units import BoundaryQuality
from gis.errors import BadFile, BadInput, Unavailable

Show = Callable[[int, int], None]

_FORMATS = (".geojson", ".json", ".gpkg", ".shp", ".zip")
_TIMEOUT_S = 20
_PARALLEL_DOWNLOADS = 8


@dataclass(frozen=True, slots=True)
class BoundarySource:
    """Files with the polygons of communes; none for approximate ones, which are computed."""

    name: str
    quality: BoundaryQuality
    files: tuple[Path, ...] = ()


def find_source(
    setting: str | None, folder: Path, province: str, *, cache: Path, show: Show | None = None
) -> BoundarySource:
    """The first source that exists.

    In this order: the setting (file, folder or URL), files in `folder`, the pinned sources of
    `folder`/sources.toml, approximate communes. Downloads are checked by SHA-256 and stored in
    `cache`. Raises BadInput when the setting names no file, Unavailable when its URL cannot be
    reached.
    """
    if setting is not None:
        return _configured_source(setting, cache)
    files = _files_in(folder)
    if files:
        return BoundarySource(folder.name, BoundaryQuality.OFFICIAL, files)
    try:
        return fetch_pinned(folder, province, cache, show)
    except Unavailable:
        return BoundarySource("vietnamadminunits", BoundaryQuality.APPROXIMATE)


def _configured_source(setting: str, cache: Path) -> BoundarySource:
    if setting.startswith(("https://", "http://")):
        return BoundarySource(setting, BoundaryQuality.OFFICIAL, (_fetch_named(setting, cache),))
    path = Path(setting).expanduser()
    files = _files_in(path) if path.is_dir() else (path,)
    if not files or not path.exists():
        raise BadInput(
            f"GIS_BOUNDARIES names {setting}, where there is no boundary file: give a file, a "
            f"folder or a URL of one of {', '.join(_FORMATS)}, or unset it"
        )
    return BoundarySource(path.name, BoundaryQuality.OFFICIAL, files)


def _files_in(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.glob("*") if path.suffix.lower() in _FORMATS))


def fetch_pinned(
    folder: Path, province: str, cache: Path, show: Show | None = None
) -> BoundarySource:
    """The communes of a province from the pinned public repository.

    Raises Unavailable without a network, BadFile when a file is not the one that was pinned.
    """
    pinned = tomllib.loads((folder / "sources.toml").read_text(encoding="utf-8"))["source"][0]
    rows = _read_list(folder / pinned["files"])
    selected = [row for row in rows if row["file"].startswith(f"{province}_")]
    if not selected:
        raise BadInput(f"no province has the code {province!r}")
    place = cache / "boundaries" / pinned["commit"]
    with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as http:

        def fetch(row: dict[str, str]) -> Path:
            province_name, commune = row["file"].split("/")
            address = pinned["url"].format(
                commit=pinned["commit"], province=province_name, commune=commune
            )
            return _fetch(http, address, place / f"{row['file']}.geojson", row["sha256"])

        files: list[Path] = []
        fetch(selected[0])  # alone: a missing network is known before many files wait for it
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            for path in pool.map(fetch, selected):
                files.append(path)
                if show:
                    show(len(files), len(selected))
    return BoundarySource(pinned["name"], BoundaryQuality.OFFICIAL, tuple(files))


def _read_list(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _fetch(http: httpx.Client, address: str, path: Path, sha256: str) -> Path:
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    content = _get(http, address)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadFile(f"{address} is not the file that was pinned: its SHA-256 differs")
    _write(path, content)
    return path


def _fetch_named(address: str, cache: Path) -> Path:
    suffix = Path(address.partition("?")[0]).suffix.lower()
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    path = cache / "boundaries" / f"{name}{suffix if suffix in _FORMATS else '.geojson'}"
    with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as http:
        _write(path, _get(http, address))
    return path


def _get(http: httpx.Client, address: str) -> bytes:
    try:
        answer = http.get(address)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(f"boundaries cannot be fetched from {address}: {error}") from error
    return answer.content


def _write(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a kill leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(path.suffix + ".part")
    part.write_bytes(content)
    part.replace(path)
