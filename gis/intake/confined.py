"""Run of a reader in a child process with bounds of memory, time and files.

Libraries that parse binary formats (GDAL, calamine, Arrow) take as much memory and time as a file
tells them to, and may die of it. In a child they can be bounded and can die alone. The child sees
none of the settings of its parent, so no secret either.
"""

import contextlib
import ctypes
import importlib
import io
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from gis.errors import AmbiguousInput, BadFile, BadInput

type Plain = bool | int | float | str | bytes | Sequence[Plain] | Mapping[str, Plain] | None

_MIB = 2**20
# The libraries themselves map about a gigabyte; a table in text is some ten times its file.
_MEMORY_BYTES, _MEMORY_PER_BYTE, _MOST_MEMORY_BYTES = 2_048 * _MIB, 12, 8_192 * _MIB
_SECONDS, _BYTES_PER_SECOND = 60, _MIB
_WAITING = 4  # times as long by the clock as on a processor
_PR_SET_PDEATHSIG = 1  # prctl(2): the child dies with its parent
_MAX_TEMPORARY_BYTES = 4_096 * _MIB
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PROJ_DATA", "GDAL_DATA")
_VARIABLES = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "GDAL_NUM_THREADS": "1",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",  # no file names another one in the network
    "GML_FIELDTYPES": "ALWAYS_STRING",  # else a code 007 is the number 7
    "LIBKML_ID_FIELD": "placemark_id",  # else a field `id` of the file is renamed
    "OSM_MAX_TMPFILE_SIZE": "100",  # MiB of memory, then a file
}
_ERRORS = {error.__name__: error for error in (AmbiguousInput, BadFile, BadInput)}


def run_confined(function: Callable[..., Plain], *arguments: Plain, size: int) -> Any:
    """The result of a function at the top of a module, run in a child process.

    `size` are the bytes of the file that it reads, from which memory and time follow. Arguments
    and result are plain values: what comes from the child can make nothing else here. Raises what
    the function raises of BadFile, BadInput, AmbiguousInput; BadFile where it dies or takes more
    than its bounds.
    """
    seconds = _SECONDS + size // _BYTES_PER_SECOND
    memory = min(_MEMORY_BYTES + _MEMORY_PER_BYTE * size, _MOST_MEMORY_BYTES)
    task = pickle.dumps((function.__module__, function.__name__, arguments, memory, seconds))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gis.intake.confined"],
            input=task,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            timeout=_WAITING * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _out_of_bounds(memory, seconds) from None
    if done.returncode or not done.stdout:
        raise _out_of_bounds(memory, seconds)
    try:
        outcome, value = _PlainUnpickler(io.BytesIO(done.stdout)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError) as error:
        outcome, value = "broken", f"{type(error).__name__}: {error}"
    if outcome == "result":
        return value
    if outcome in _ERRORS:
        raise _ERRORS[outcome](value)
    raise BadFile(
        "không đọc được: tệp hỏng; hãy lưu lại từ chương trình đã tạo ra nó / cannot be read, it "
        f"is broken ({value[:300]}); save it again with the program that made it"
    )


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, texts, bytes and numbers; no class is ever looked up."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | _VARIABLES | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _out_of_bounds(memory: int, seconds: int) -> BadFile:
    return BadFile(
        f"không đọc được trong {memory // _MIB} MiB bộ nhớ và {seconds} giây: tệp hỏng hoặc quá "
        "lớn; hãy lưu lại từ chương trình đã tạo ra nó, hoặc chia nhỏ / "
        f"cannot be read within {memory // _MIB} MiB of memory and {seconds} s: it is broken or "
        "too large; save it again with the program that made it, or split it"
    )


def _serve() -> None:
    """What the child does: one task from stdin, its outcome to stdout."""
    module, name, arguments, memory, seconds = pickle.load(sys.stdin.buffer)
    with contextlib.suppress(AttributeError, OSError):  # of Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print
    for limit, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _MAX_TEMPORARY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError):  # the machine allows less already
            resource.setrlimit(limit, (bound, bound))
    # pyogrio would import them, in a second, for what is not used here.
    sys.modules["geopandas"] = sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        function = getattr(importlib.import_module(module), name)
        outcome = ("result", function(*arguments))
    except (BadFile, AmbiguousInput, BadInput) as error:
        outcome = (type(error).__name__, str(error))
    except MemoryError:
        sys.exit(1)
    except BaseException as error:  # a panic of Rust is no Exception
        outcome = ("broken", f"{type(error).__name__}: {error}")
    with output:
        pickle.dump(outcome, output)


if __name__ == "__main__":
    _serve()
