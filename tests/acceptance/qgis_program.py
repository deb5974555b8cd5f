"""QGIS as a program beside the tests: its own Python, without a screen."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

_PYTHON = Path("/usr/bin/python3")


@cache
def qgis_version() -> int:
    """Version of QGIS, such as 32216 for 3.22.16; 0 where there is none."""
    probe = [str(_PYTHON), "-c", "from qgis.core import Qgis; print(Qgis.versionInt())"]
    if not _PYTHON.exists():
        return 0
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def has_qgis() -> bool:
    return qgis_version() > 0


def run_in_qgis(script: Path, home: Path, *arguments: str) -> dict[str, Any]:
    """The document that a script prints after `JSON:`; `home` is QGIS's folder for its profile."""
    environment = {
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(_PYTHON), str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("JSON:")]
    assert lines, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(lines[0].removeprefix("JSON:"))
    return result
