"""A module of a how-to page, registered as the page says: beside the others, by one line."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest


def registry_with(
    patch: pytest.MonkeyPatch, folder: Path, package: Path, full_name: str,
    module: str, import_: str, entry: str,
) -> dict[str, Any]:  # fmt: skip
    """The names of a package's `__init__` with the import and entry of a page added to it.

    `module`, the text of the page's module, is imported as `full_name` from a folder.
    """
    path = folder / f"{full_name.rpartition('.')[2]}.py"
    path.write_text(module, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(full_name, path)
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, full_name, made)
    spec.loader.exec_module(made)
    source = (package / "__init__.py").read_text(encoding="utf-8")
    (last,) = re.findall(r"^    \w+\(\),\n(?=\))", source, re.MULTILINE)
    names: dict[str, Any] = {"__name__": "registry"}
    exec(import_ + source.replace(last, last + entry), names)
    return names
