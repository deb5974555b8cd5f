"""docs/how-to/files.md says what the readers do."""

import re
from pathlib import Path

import typer.main

from api.cli import command_line
from docs.generate import each_command
from gis.intake.dates import DateWord, parse_dates
from gis.intake.tables import ARCHIVES, FORMATS, read_table

DOCUMENT = (Path(__file__).parents[3] / "docs" / "how-to" / "files.md").read_text(encoding="utf-8")


def test_every_suffix_that_is_read_is_listed_and_no_other() -> None:
    listed = set(re.findall(r"`(\.[a-z.]+)`", DOCUMENT.split("## ")[0]))
    companions = {".dbf", ".shx", ".dat", ".map", ".id", ".gz"}
    aliases = {".pbf", ".geoparquet"}
    suffixes = {suffix.removesuffix(".gz") for suffix in (*FORMATS, *ARCHIVES)}
    assert listed - companions == suffixes - aliases


def test_the_register_is_read_as_it_says(tmp_path: Path) -> None:
    register = re.search(r"```csv\n(.*?)```", DOCUMENT, re.DOTALL)
    assert register is not None
    (tmp_path / "a.csv").write_text(register[1], encoding="utf-8")
    table = read_table(tmp_path / "a.csv")
    assert table.columns == ("STT", "Kinh độ", "Vĩ độ", "Ghi chú")
    assert table["Ghi chú"] == ["Sạt lở", "Mưa đá"]


def test_every_answer_for_dates_reads_the_values_beside_it() -> None:
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", DOCUMENT.split("## Ngày")[1], re.MULTILINE)
    assert len(rows) == 4
    for values, answers in rows:
        words = re.findall(r"--date-format ([a-z-]+)", answers)
        values = re.findall(r"`([^`]+)`", values)
        if len(words) > 1:
            pairs = zip(values, words, strict=True)
        else:
            pairs = ((value, words[0]) for value in values)
        for value, word in pairs:
            assert DateWord(word) and parse_dates([value], word).faults == {}, value


def test_every_option_in_it_is_one_of_the_command() -> None:
    commands = dict(each_command(typer.main.get_command(command_line()), "gis"))
    options = {option for each in commands["gis layers load"].params for option in each.opts}
    assert set(re.findall(r"--[a-z]{2}[a-z-]+", DOCUMENT)) <= options
