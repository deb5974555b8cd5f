"""Every question about a file names options that answer it, and each of them leads on.

The cases hold each place that asks while a file is read; a new question without a case fails the
last test. What a load as a whole is asked about needs a database, and is tested with it.
"""

import ast
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import typer.main
from pyproj import Transformer

from api.advice import as_parameters
from api.cli import command_line
from api.cli.file_options import file_answers
from api.dependencies import query_parameters
from api.routes import ingest, quarantine
from docs.generate import each_command
from gis.errors import AmbiguousInput
from gis.intake.encodings import ENCODINGS
from gis.intake.tables import read_table
from gis.values import BBox
from layers.definition.model import Layer
from layers.ingest.records import ProvinceArea, RecordBatch, RecordReader
from tests.extracts import write_osm_xml
from tests.intake_layers import FILES, MZ, layer_of
from tests.unit.placing.test_crs import BARE_TMERC, LONG_ISLAND, LONG_ISLAND_FEET
from tests.workbooks import write_xlsx

ROOT = Path(__file__).parents[3]
PROVINCE = BBox(103.5, 21.3, 105.1, 22.9)
_MOST_STEPS = 4
OF_RECORDS = {"assume-crs", "date-format", "number-format"}
OF_FILES = OF_RECORDS | {"encoding", "table", "header-row", "footer-rows", "delimiter"}
# The doors that read files or records again, and the answers that each of them takes.
DOORS = {
    "layers load": OF_FILES,
    "place": OF_FILES,
    "population load": OF_FILES - {"assume-crs", "date-format"},
    "records replay": OF_RECORDS,
    "POST /ingest": OF_FILES,
    "POST /quarantine/replay": OF_RECORDS,
}
KEPT = layer_of(
    {"key": "id", "coordinates": {"x": "x", "y": "y", "crs": LONG_ISLAND}, "outside": "keep"},
    {"val": "number"},
)


def holds(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    across = (lon > PROVINCE.west) & (lon < PROVINCE.east)
    return np.asarray(across & (lat > PROVINCE.south) & (lat < PROVINCE.north))


AREA = ProvinceArea(PROVINCE, holds)


def in_crs(crs: str, n: int = 20, *, west: float = 103.6, south: float = 21.5) -> np.ndarray:
    """Easting and northing of n places, shape (n, 2)."""
    places = np.random.default_rng(2)
    lon, lat = places.uniform(west, west + 1.3, n), places.uniform(south, south + 1.3, n)
    return np.column_stack(
        Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    )


def metres_of(crs: str, **columns: str) -> Layer:
    coordinates = {"x": "x", "y": "y", "crs": crs}
    return layer_of({"key": "id", "coordinates": coordinates, **columns}, {"val": "number"})


def csv_with(column: str, *values: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        rows = "".join(f'{i},103.97,22.48,"{value}"\n' for i, value in enumerate(values))
        (folder / "a.csv").write_text(f"id,lon,lat,{column}\n{rows}", encoding="utf-8")
        return folder / "a.csv"

    return write


def points_of(xy: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        rows = "".join(f"{i},{x!r},{y!r}\n" for i, (x, y) in enumerate(xy.tolist()))
        (folder / "a.csv").write_text(f"id,x,y\n{rows}")
        return folder / "a.csv"

    return write


def two_numbers(folder: Path) -> Path:
    rows = "".join(f'{i},"{x}, {y}"\n' for i, (x, y) in enumerate([(12.5, 41.9), (12.6, 41.8)]))
    (folder / "a.csv").write_text(f"id,noi\n{rows}")
    return folder / "a.csv"


def geoparquet(xy: np.ndarray, crs: str | None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import geopandas

        points = shapely.points(xy)
        frame = geopandas.GeoDataFrame({"id": range(len(points))}, geometry=points, crs=crs)
        frame.to_parquet(folder / "a.parquet")
        return folder / "a.parquet"

    return write


def workbook(folder: Path) -> Path:
    rows = [["id", "lon", "lat", "when"], [1, 103.97, 22.48, "2025-09-01"]]
    return write_xlsx(folder / "a.xlsx", {"Tháng 8": rows, "Tháng 9": rows})


def archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as packed:
        packed.write(workbook(folder), "so lieu/a.xlsx")
        packed.writestr("b.csv", "id,lon,lat,when\n1,103.97,22.48,2025-09-01\n")
    return folder / "a.zip"


def titled(folder: Path) -> Path:
    rows = [["Danh sách"], ["id", "lon", "lat", "when", 7], [1, 103.97, 22.48, "2025-09-01", 2]]
    return write_xlsx(folder / "a.xlsx", {"S": rows})


def bytes_of_names(folder: Path) -> Path:
    content = b"id,lon,lat,when,note\n1,103.97,22.48,2025-09-01,x\xe0 Y T\xfd\n"
    (folder / "a.csv").write_bytes(content)
    return folder / "a.csv"


def fixture_file(name: str) -> Callable[[Path], Path]:
    return lambda folder: FILES / name


PLACES = metres_of("EPSG:4326")
NAMED = layer_of({"key": "id"}, {"kind": "text"})
PERMITS = layer_of(
    {"key": "id", "coordinates": {"x": "lon", "y": "lat"}, "time": {"column": "when"}},
    {"han": "date"},
)
LOCAL, UTM = in_crs("EPSG:9208"), in_crs("EPSG:32648")
DEGREES = in_crs("EPSG:4326")
MIXED = np.where(np.arange(20)[:, None] < 8, DEGREES[:, ::-1], DEGREES)
FEET = in_crs(LONG_ISLAND_FEET, west=-74.2, south=40.0)
CASES: dict[str, tuple[Callable[[Path], Path], Layer, list[str]]] = {
    "sheets": (workbook, MZ, []),
    "members of a zip, and sheets of one": (archive, MZ, []),
    "things of OpenStreetMap": (lambda folder: write_osm_xml(folder / "a.osm"), NAMED, []),
    "header": (titled, MZ, []),
    "encoding": (bytes_of_names, MZ, []),
    "numbers": (csv_with("when,val", '2025-09-01","1.234', '2025-09-01","2.345'), MZ, []),
    "both notations": (csv_with("when,val", '2025-09-01","1.5', '2025-09-01","2,5'), MZ, []),
    "dates": (csv_with("when", "05/09/2024", "06/10/2024"), MZ, []),
    "dates with dashes": (csv_with("when", "05-09-2024", "06-10-2024"), MZ, []),
    "times": (fixture_file("dt_amb.csv"), MZ, []),
    "times in words": (csv_with("when", "10h30 ngày 01/09/2025", "9 giờ, 2/9/2025"), MZ, []),
    "both orders": (csv_with("when", "13/09/2024", "9/14/2024"), MZ, []),
    "both orders with times": (csv_with("when", "13/09/2024 7:00", "9/14/2024 8:00"), MZ, []),
    "short years": (csv_with("when", "13/09/24", "1/10/24"), MZ, []),
    "short years beside long ones": (csv_with("when", "13/09/24", "1/10/2024"), MZ, []),
    "Buddhist years": (fixture_file("date_buddhist.csv"), MZ, []),
    "milliseconds": (fixture_file("date_epochms.csv"), MZ, []),
    "days of a spreadsheet": (csv_with("when", "45901", "45902.5"), MZ, []),
    "no date": (csv_with("when", "hôm qua", "quý 3"), MZ, []),
    "another form": (
        csv_with("when", "13/09/2024", "14/09/2024"), MZ, ["--date-format", "%Y.%m.%d"],
    ),
    "no date in that form": (csv_with("when", "hôm qua"), MZ, ["--date-format", "%d/%m/%Y"]),
    "days of programs": (csv_with("when", *["1900-01-01"] * 4, "2025-09-01"), MZ, []),
    "years typed wrong": (csv_with("when", *["13/09/2205"] * 4, "13/09/2025"), MZ, []),
    "Buddhist years of a spreadsheet": (
        csv_with("when", *["2568-09-01"] * 4, "2025-09-01"), MZ, [],
    ),
    "a field far ahead": (csv_with("when,han", *['2025-09-01","2099-12-31'] * 4), PERMITS, []),
    "no CRS": (geoparquet(LOCAL, None), PLACES, []),
    "no CRS, several fit": (geoparquet(UTM, None), PLACES, []),
    "no CRS, none fits": (geoparquet(np.full((9, 2), 1e8), None), PLACES, []),
    "no CRS, degrees elsewhere": (two_numbers, PLACES, []),
    "no fitting CRS": (points_of(np.full((9, 2), 1e8)), metres_of("EPSG:4326"), []),
    "exchanged axes": (points_of(LOCAL[:, ::-1]), metres_of("EPSG:9208"), []),
    "metres for degrees": (points_of(LOCAL), metres_of("EPSG:4326"), []),
    "wrong zone": (points_of(LOCAL), metres_of("EPSG:9214"), []),
    "wrong datum": (points_of(LOCAL), metres_of(BARE_TMERC), []),
    "mixed axes": (points_of(MIXED), metres_of("EPSG:4326"), []),
    "feet for metres": (points_of(FEET), KEPT, []),
    "feet for metres, exchanged": (points_of(FEET[:, ::-1]), KEPT, []),
}  # fmt: skip


def command_at(words: str) -> Any:
    """A command of `gis` with its parameters."""
    return dict(each_command(typer.main.get_command(command_line()), "gis"))[f"gis {words}"]


def read(path: Path, layer: Layer, options: list[str]) -> RecordBatch:
    """What `gis layers load` does until records are placed, with the options parsed by it."""
    context = command_at("layers load").make_context("load", [layer.id, str(path), *options])
    names = ("assume_crs", "date_format", "number_format", "encoding", "table", "header_row",
             "footer_rows", "delimiter")  # fmt: skip
    answers = file_answers(**{name: context.params[name] for name in names})
    table = read_table(path, encoding=answers.encoding, table=answers.table, layout=answers.layout)
    assert layer.source is not None
    return RecordReader(layer, layer.source, AREA, answers).read(table)  # type: ignore[arg-type]


def advice(question: str) -> list[list[str]]:
    """The options that a question names, literally; of a list, each of it."""
    options = [
        [f"--{name}", value.strip("'")]
        for name, value in re.findall(r"--([a-z-]+) ('[^']+'|[^\s,;)“/]+)", question)
        if name in DOORS["layers load"] and value not in ("/", "hoặc", "là")
    ]
    options = [pair for pair in options if pair != ["--header-row", "hoặc"]]
    if "--table: " in question:
        listed = question.split("--table: ")[1]
        names = re.findall("“([^”]+)”", listed) or listed.split(" / ")[0].split(", ")
        options += [["--table", name] for name in names]
    if "--encoding" in question:
        options += [["--encoding", name] for name in ENCODINGS if f"{name}: “" in question]
    if ["--assume-crs", "EPSG:…"] in options:
        codes = re.findall(r"^  (EPSG:\d+) ", question, re.MULTILINE) or ["EPSG:9208"]
        options = [["--assume-crs", code] for code in dict.fromkeys(codes)]
    return [list(pair) for pair in dict.fromkeys(map(tuple, options))]


def follow(path: Path, layer: Layer, options: list[str], steps: int) -> Iterator[str]:
    """The questions that come, one after the other, when each piece of advice is taken."""
    try:
        read(path, layer, options)
    except AmbiguousInput as question:
        text = str(question)
        assert steps, f"asks on and on: {text}"
        answers = advice(text)
        assert answers, f"names no option: {text}"
        yield text
        for answer in answers:
            kept = [*options]
            if answer[0] in kept:  # asked again about the same: the newer answer counts
                at = kept.index(answer[0])
                del kept[at : at + 2]
            for again in follow(path, layer, [*kept, *answer], steps - 1):
                assert again != text, f"{answer} changes nothing: {text}"
                yield again


@pytest.mark.parametrize("name", CASES)
def test_each_option_that_a_question_names_leads_on(name: str, tmp_path: Path) -> None:
    write, layer, options = CASES[name]
    path = write(tmp_path)
    questions = list(follow(path, layer, options, _MOST_STEPS))
    assert questions, "is no question"
    for question in questions:
        over_http = as_parameters(question)
        assert "--" not in over_http.replace("---", ""), over_http
        for option, _ in advice(question):
            assert option[2:].replace("-", "_") in over_http
            for door, names in DOORS.items():
                if option.removeprefix("--") in names:
                    assert option in options_of(door), (door, option)


def options_of(door: str) -> set[str]:
    """The options of a door, as the command line writes them."""
    if door == "POST /ingest":
        parameters = query_parameters(ingest.router.routes[0].dependant)
        return {f"--{name.replace('_', '-')}" for name in parameters}
    if door == "POST /quarantine/replay":
        return {f"--{name.replace('_', '-')}" for name in quarantine.Replay.model_fields}
    return {option for parameter in command_at(door).params for option in parameter.opts}


@pytest.mark.parametrize("door", DOORS)
def test_each_door_has_the_options_of_the_questions_that_it_asks(door: str) -> None:
    assert {f"--{name}" for name in DOORS[door]} <= options_of(door)


@pytest.mark.parametrize(
    ("told", "over_http"),
    [
        ("--assume-crs EPSG:9208:yx, or", "assume_crs=EPSG:9208:yx, or"),
        ("--date-format '%d/%m/%Y' (or)", "date_format='%d/%m/%Y' (or)"),
        ("by --header-row / say which row", "by header_row / say which row"),
        ("with --table: “a”, “b”", "with table: “a”, “b”"),
        ("đúng vậy: --yes; khác: --source …;", "đúng vậy: yes=true; khác: source=…;"),
        ("thì --yes / otherwise --mode append", "thì yes=true / otherwise mode=append"),
    ],
)
def test_advice_over_http_names_parameters(told: str, over_http: str) -> None:
    assert as_parameters(told) == over_http


def places_that_ask() -> set[tuple[str, int, int]]:
    """The calls of AmbiguousInput under gis, as file, first and last line; but for those about
    rasters, which tests/integration/test_rasters.py asks.
    """
    found = set()
    files = set((ROOT / "gis").rglob("*.py")) - set((ROOT / "gis" / "rasters").rglob("*.py"))
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "AmbiguousInput":
                found.add((str(path), node.lineno, node.end_lineno or node.lineno))
    return found


def test_every_place_that_asks_has_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[str, int]] = set()

    def note(self: AmbiguousInput, *arguments: Any) -> None:
        frame = sys._getframe(1)
        asked.add((frame.f_code.co_filename, frame.f_lineno))
        Exception.__init__(self, *arguments)

    monkeypatch.setattr(AmbiguousInput, "__init__", note)
    for name, (write, layer, options) in CASES.items():
        folder = tmp_path / re.sub(r"\W", "_", name)
        folder.mkdir()
        with pytest.raises(AmbiguousInput) as question:
            read(write(folder), layer, options)
        if name.startswith("members"):
            member = next(pair for pair in advice(str(question.value)) if "xlsx" in pair[1])
            with pytest.raises(AmbiguousInput):
                read(folder / "a.zip", layer, member)
    missing = [
        place
        for place in places_that_ask()
        if not any(path == place[0] and place[1] <= line <= place[2] for path, line in asked)
    ]
    assert missing == []
