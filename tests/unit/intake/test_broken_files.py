"""Files of every format with bytes changed, cut and repeated: read or refused, nothing else.

`make soak PART=files` draws others in each round.
"""

import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gis.errors import AmbiguousInput, BadFile
from gis.intake import geofiles, sheets
from gis.intake.tables import read_table
from tests import soak
from tests.workbooks import write_ods, write_xls

FILES = Path(__file__).parents[2] / "fixtures" / "intake"
TEXTS = (
    "titles_above.csv", "ragged.csv", "dms.csv", "wkt.csv", "csvzip.zip", "seq.geojson",
    "k_emptypoly.geojson", "unclosed.geojson",
)  # fmt: skip
SHEETS = ("x_titles.xlsx", "x_merged_rows.xlsx", "a.xls", "a.ods")
PLACES = ("g.kml", "g.kmz", "g.gpx", "g.tab", "g.fgb", "g.parquet", "s_two.zip")
_ALLOWED = (BadFile, AmbiguousInput)
_WORST_SECONDS, _MOST_MEMORY = 5, 2 * 2**30
PROGRAM = """
import json, sys
from tests.unit.intake.test_broken_files import try_binaries

print(json.dumps(try_binaries(*json.loads(sys.argv[1]))))
"""


def _mutated(content: bytes, draw: random.Random) -> bytes:
    """The content with one to four pieces changed, cut, repeated or moved."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(changed) + 1)
        length = min(draw.choice((1, 1, 2, 4, 16, 200)), len(changed) - at)
        match draw.randrange(6):
            case 0:
                changed[at : at + length] = draw.randbytes(length)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length] * draw.choice((1, 2, 50))
            case 3:
                changed[at : at + length] = draw.choice(
                    (b"\0", b"\xff\xff\xff\xff", b'"', b"\n", b"<", b"]]", b"-1", b"1e400", b",")
                )
            case 4:
                del changed[at:]
            case 5 if length:
                changed[at] ^= 1 << draw.randrange(8)
        if not changed:
            break
    return bytes(changed)


def _repacked(content: bytes, draw: random.Random) -> bytes:
    """An archive with the content of one member mutated, so that the change is not only seen by
    its checksum."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        chosen = draw.choice([each.filename for each in old.infolist() if each.file_size])
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, _mutated(part, draw) if name == chosen else part)
    return packed.getvalue()


def _sources(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    write_xls(folder / "a.xls", [["STT", "Tên", "x"], [1, "Bát Xát", 2.5], [2, "Cốc San", 3]])
    write_ods(folder / "a.ods", [["id", "Tên", "x"], ["1", ("Bát Xát", 2), "a"], ["2", None, "b"]])
    return {
        name: (FILES / name if (FILES / name).exists() else folder / name).read_bytes()
        for name in names
    }


def mutants(folder: Path, names: tuple[str, ...], seed: int, count: int) -> Iterator[Path]:
    """A broken file after the other, each under the name of a whole one."""
    for each in (".dat", ".map", ".id"):
        (folder / f"g{each}").write_bytes((FILES / f"g{each}").read_bytes())
    for name, content in _sources(folder, names).items():
        for number in range(seed * count, (seed + 1) * count):
            draw = random.Random(f"{name} {number}")
            is_zip = content.startswith(b"PK") and draw.random() < 0.7
            (folder / name).write_bytes((_repacked if is_zip else _mutated)(content, draw))
            yield folder / name


def _fault(path: Path) -> str | None:
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_WORST_SECONDS)
    try:
        table = read_table(path)
        assert len(table.lines) == len(next(iter(table.cells.values()), table.lines))
        for cells in table.cells.values():
            "".join(cells).encode()
    except _ALLOWED:
        return None
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.alarm(0)
    return None


def _too_long(*_: object) -> None:
    raise TimeoutError("takes too long")


def try_binaries(folder: str, names: list[str], seed: int, count: int) -> list[str]:
    """What went wrong, each file in a fork of this process: where a library dies of a file, that
    is the file's fault, which its own child would bear."""
    import pyogrio
    import python_calamine
    from pyarrow import parquet

    def here(function: Callable[..., object], *arguments: object, size: int) -> object:
        try:
            return function(*arguments)
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # of Rust: the child would die of it
                raise BadFile(str(error)) from None
            raise

    assert pyogrio and python_calamine and parquet  # loaded once, not in each fork
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    geofiles.run_confined = sheets.run_confined = here  # type: ignore[assignment]
    wrong, tried = [], 0
    for path in mutants(Path(folder), tuple(names), seed, count):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, (_fault(path) or "-").encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as told:
            fault = told.read().decode()
        tried += 1
        if fault not in ("", "-"):
            wrong.append(f"{path.name} {tried}: {fault}")
    return [*wrong, f"{tried} tried"]


def test_broken_text_is_read_or_refused(tmp_path: Path) -> None:
    count = soak.size(60, 3_000)
    faults = [_fault(path) for path in mutants(tmp_path, TEXTS, soak.SEED, count)]
    assert [fault for fault in faults if fault] == []
    assert len(faults) == count * len(TEXTS)
    soak.count("files", len(faults))


@pytest.mark.parametrize("names", [SHEETS, PLACES], ids=["sheets", "places"])
def test_broken_files_of_libraries_are_read_or_refused(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    count = soak.size(12, 1_000)
    task = json.dumps([str(tmp_path), names, soak.SEED, count])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, task],
        env=os.environ | {"RUST_BACKTRACE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [f"{count * len(names)} tried"]
    soak.count("files", count * len(names))
