"""A tier has one colour, on the map, in legends, on the cards of alerts and in pictures."""

import re

import pytest

from api.routes.map import WEB
from gis.alerts.plots import COLOURS
from gis.alerts.policy import Tier
from layers.style.classification import classify
from tests.unit.layers.examples import CATALOGUE

TIERS = [tier.value for tier in Tier]


@pytest.mark.parametrize(
    "layer", ["alerts", "alerts_desk", "clusters", "clusters_desk", "series", "series_desk"]
)
def test_layers_colour_tiers_as_pictures_do(layer: str) -> None:
    classes = {one.value: one.colour for one in classify(CATALOGUE.get(layer)).classes}
    assert classes == {tier.value: colour for tier, colour in COLOURS.items()}


def test_cards_colour_tiers_as_pictures_do() -> None:
    said = dict(re.findall(r"--(\w+): (#\w{6});", (WEB / "map.css").read_text()))
    assert {name: said[name] for name in TIERS} == {
        tier.value: colour for tier, colour in COLOURS.items()
    }
