"""docs/how-to/connectors.md: each connector stands there, with options that it takes."""

import re
from pathlib import Path

import yaml

from gis.connectors import CONNECTORS
from tests.integration.connectors.faulty import surroundings

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "connectors.md").read_text(encoding="utf-8")
SECTIONS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]


def test_each_section_is_one_that_its_connector_takes():
    assert len(SECTIONS) >= 6
    names = set(re.findall(r"\{secret:(\w+)\}", PAGE))
    for section in SECTIONS:
        kind = CONNECTORS[section["connector"]]
        options = kind.Options.model_validate(section["read"])
        kind(options, surroundings(dict.fromkeys(names, "x"))).close()


def test_each_connector_of_a_system_stands_there():
    assert {name for name in CONNECTORS if f"`{name}`" not in PAGE} == {"folder"}
