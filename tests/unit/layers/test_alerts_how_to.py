"""docs/how-to/alerts.md: its example is a sound section, and its commands exist."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from api.cli import command_line
from layers.definition.checks import findings
from layers.definition.model import AlertOptions, Layer
from tests.unit.layers.examples import wells_words

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "alerts.md").read_text(encoding="utf-8")
BLOCKS = {kind: re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("sh", "yaml")}
LINES = [line.partition("  #")[0] for block in BLOCKS["sh"] for line in block.splitlines()]


def test_the_thresholds_of_the_page_are_a_sound_section():
    (block,) = BLOCKS["yaml"]
    number = {"type": "number", "label": {"vi": "Số", "en": "Number"}}
    fields = {"level": number, "rain": number, "station": number | {"type": "text"}}
    words = wells_words() | {"fields": fields} | yaml.safe_load(block)
    words["source"] = {"connector": "file", "key": "n", "time": {"column": "at"}}
    for section in ("tiles", "hexes", "hotspots", "style"):
        words.pop(section, None)
    layer = Layer.model_validate(words)
    assert findings(layer) == []
    assert {rule.kind for rule in layer.alerts.rules} == {
        "sensor", "rain", "count", "quiet", "indicator", "risk",
    }  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_the_commands_of_the_page_are_understood(line: str):
    command: click.Command = typer.main.get_command(command_line())
    words = shlex.split(line)[1:]
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context("gis", words)


def test_the_defaults_of_the_page_are_those_of_the_vocabulary():
    options = AlertOptions()
    assert (options.false_alerts_a_year, options.watch_days, options.urgent_factor) == (4, 30, 10)
    assert (options.escalate_urgent_minutes, options.escalate_alert_minutes) == (15, 4 * 60)
    assert (options.same_jaccard, options.same_gap_days, options.close_days) == (0.3, 3, 3)
    assert (options.urgent_min_count, options.urgent_min_ratio, options.notify_llr) == (5, 2, 2)
