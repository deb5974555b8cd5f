"""docs/how-to/hotspots.md: its script prints what it says, and its sections are sound."""

import re
from pathlib import Path

import yaml

from layers.definition.model import HotspotOptions

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "hotspots.md").read_text(encoding="utf-8")


def test_the_script_prints_what_it_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "hotspots.md", "exec"), {})
    said = re.search(r"^print\(.*# (.*)", code, re.MULTILINE).group(1)
    assert capsys.readouterr().out.strip() == said


def test_the_sections_are_sound():
    asked = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    read = [HotspotOptions.model_validate(one["hotspots"]) for one in asked]
    assert any(options.series for options in read)
    assert any(options.local_moran for options in read)
    assert any(options.exposure for options in read)
