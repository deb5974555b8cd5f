"""The web map: plain ES modules, served by us; MapLibre GL comes from node_modules."""

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from gis.errors import NotFound, SetupError
from gis.settings import ROOT

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parents[1] / "web"
MAPLIBRE = ROOT / "node_modules" / "maplibre-gl" / "dist"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Styles in attributes are allowed for MapLibre alone, which sizes its canvas so.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; form-action 'none'"
)


@router.get("/")
def page() -> Response:
    """The map."""
    return file_of(WEB, "index.html", {"Content-Security-Policy": POLICY})


@router.get("/favicon.ico")
def icon() -> Response:
    """For pages that name none."""
    return file_of(WEB, "icon.svg")


@router.get("/web/{name}")
def part(name: str) -> Response:
    """One of the page's own files."""
    return file_of(WEB, name)


@router.get("/web/maplibre/{name}")
def maplibre(name: str) -> Response:
    """One of MapLibre's files."""
    if not MAPLIBRE.is_dir():
        raise SetupError("the map's packages are missing: run `make run`, or `npm ci`")
    return file_of(MAPLIBRE, name)


def file_of(folder: Path, name: str, headers: dict[str, str] | None = None) -> Response:
    """A file of a folder; only names that are listed there, so that none leads out of it."""
    found = {path.name: path for path in folder.iterdir() if path.suffix in _MEDIA_TYPES}
    if name not in found:
        raise NotFound(f"there is no file {name}")
    path = found[name]
    every = {"Cache-Control": "no-cache", **(headers or {})}
    return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers=every)
