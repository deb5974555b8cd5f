"""Version of the code that computed a stored result: of the package, with a digest of sources."""

import hashlib
import importlib.metadata
from functools import cache
from pathlib import Path


@cache
def package_version() -> str:
    return importlib.metadata.version("gis-ioc")


@cache
def code_version(*folders: Path) -> str:
    """The package's version and a digest of the modules of folders, as `0.1.0+1f6f8b2c4d5e`."""
    sources = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return f"{package_version()}+{digest[:12]}"
