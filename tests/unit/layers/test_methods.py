"""The registry of detection methods, and what cannot read it: SQL, the layer files and the page."""

import re

import pytest

from api.cli.hotspots import METHOD_HELP
from gis.alerts.self_monitoring import _NAMES
from gis.database.migrate import FUNCTIONS
from gis.settings import ROOT
from layers.definition.catalogue import read_layer
from layers.definition.model import HotspotOptions
from layers.detect.methods import METHODS

VERSIONS = (FUNCTIONS / "versions.sql").read_text(encoding="utf-8")
SHOWN = {method.result_layer for method in METHODS.values() if method.result_layer}

OF_ALARMS = {method.result_layer for method in METHODS.values() if method.rule}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_describes_each_of_its_options(name):
    method = METHODS[name]
    assert method.label.vi and method.label.en
    assert method.section in ("", *HotspotOptions.model_fields)
    assert all(field.description for field in method.options.model_fields.values())


@pytest.mark.parametrize("layer_id", sorted(SHOWN | {f"{one}_desk" for one in OF_ALARMS}))
def test_a_layer_of_results_has_its_file(layer_id):
    assert read_layer(ROOT / "layers" / f"{layer_id}.yaml").source.connector == "view"


def test_sql_knows_the_layers_of_results():
    (listed,) = re.findall(r"FUNCTION gis.result_layers.*?'{(.*?)}'", VERSIONS, re.DOTALL)
    assert set(listed.split(",")) == SHOWN | {"alerts"} | {
        f"{one}_desk" for one in ("alerts", *OF_ALARMS)
    }
    named = dict(re.findall(r"WHEN '(\w+)' THEN '(\w+)'", VERSIONS))
    assert {named.get(name, name) for name in METHODS} == SHOWN
    assert "WHEN view_id = ANY(gis.result_layers() ||" in VERSIONS  # no calendar changes them


def test_an_alarm_that_fails_is_called_as_in_the_registry():
    alarms = {name: method.label for name, method in METHODS.items() if method.rule}
    assert {name: _NAMES[name] for name in alarms} == {
        name: (label.vi, label.en) for name, label in alarms.items()
    }


def test_the_page_names_each_method_with_its_layer():
    page = (ROOT / "docs" / "how-to" / "hotspots.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| [^|]*\| `(\w+)`[^|]*\| `(\w+)` \|", page, re.MULTILINE))
    assert shown == {name: method.result_layer for name, method in METHODS.items()}


def test_help_of_the_command_names_every_method_of_the_registry():
    names = "; ".join(f"{name}: {method.label.en}" for name, method in METHODS.items())
    assert f"One method; unset: all. {names}" == METHOD_HELP
