"""docs/reference/analysis.md: its example runs as it says, and it leaves out no public function."""

import re
from pathlib import Path

import gis.analysis

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "analysis.md").read_text("utf-8")


def test_the_example_prints_what_it_says(capsys):
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    exec(compile(code, "analysis.md", "exec"), {})
    said = re.search(r"print\(.*# (.*)", code).group(1)
    assert [float(n) for n in re.findall(r"[\d.]+", capsys.readouterr().out)] == [
        float(n) for n in re.findall(r"[\d.]+", said)
    ]


def test_every_function_is_on_the_page():
    functions = [n for n in gis.analysis.__all__ if n.islower() and n != "categories"]
    assert [name for name in functions if f"`{name}(" not in PAGE] == []
