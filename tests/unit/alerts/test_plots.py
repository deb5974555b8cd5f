"""The picture of alerts in time: well formed, in proportion, and with nothing of a text in it."""

from datetime import timedelta
from xml.etree import ElementTree

import pytest

from gis.alerts.plots import COLOURS, qq_plot, timeline
from gis.alerts.policy import Tier
from gis.alerts.replay import ReplayedAlerts
from tests.unit.alerts.made import day, found, signal

SVG = "{http://www.w3.org/2000/svg}"


def bars(text: str) -> list[ElementTree.Element]:
    rects = ElementTree.fromstring(text).iter(f"{SVG}rect")
    return [rect for rect in rects if rect.get("rx")]


def drawn(*looks, until: float) -> str:
    ledger = ReplayedAlerts()
    for look in looks:
        ledger.apply(look)
    return timeline(list(ledger.raised()), day(0), day(until), "Thử")


def test_a_bar_begins_and_ends_with_its_alert():
    looks = [found(2, signal(2)), found(3), found(4), found(5)]
    (bar,) = bars(drawn(*looks, until=10))
    left, width = float(bar.get("x")), float(bar.get("width"))
    whole = 1000 - 420 - 12
    assert left == pytest.approx(420 + 0.2 * whole, abs=0.1)
    assert width == pytest.approx(0.3 * whole, abs=0.2)


def test_a_bar_has_the_colour_of_its_highest_tier():
    urgent = signal(0, tier=Tier.URGENT)
    (bar,) = bars(drawn(found(0, urgent), found(1, signal(1)), until=2))
    assert bar.get("fill") == COLOURS[Tier.URGENT]


def test_words_are_words_and_no_elements():
    (bar,) = bars(drawn(found(0, signal(0, headline_vi="<b>&")), until=1))
    assert bar.find(f"{SVG}title").text == "<b>&"


def test_nothing_raised_is_a_picture_too():
    assert bars(timeline([], day(0), day(0) + timedelta(days=1), "Thử")) == []


def test_p_values_of_chance_lie_on_the_diagonal_and_within_the_band():
    drawing = ElementTree.fromstring(qq_plot([0.75, 0.25, 0.5], "p"))
    dots = [(float(one.get("cx")), float(one.get("cy"))) for one in drawing.iter(f"{SVG}circle")]
    assert dots == [(48 + 90 * k, 48 + 360 - 90 * k) for k in (1, 2, 3)]
    (band,) = drawing.iter(f"{SVG}polygon")
    corners = [tuple(map(float, pair.split(","))) for pair in band.get("points").split()]
    # Of three uniform values the least is below 1 − .025^(1/3) = .708 with probability .975.
    assert corners[-1] == (138, pytest.approx(48 + 360 * (1 - 0.708), abs=0.2))


def test_values_that_depend_on_each_other_have_the_band_of_as_many_as_they_are_worth():
    drawing = ElementTree.fromstring(qq_plot([0.75, 0.25, 0.5], "p", worth=1))
    (band,) = drawing.iter(f"{SVG}polygon")
    corners = [tuple(map(float, pair.split(","))) for pair in band.get("points").split()]
    # One uniform value is within 0.025 and 0.975.
    assert corners[1] == (228, pytest.approx(48 + 360 * 0.975, abs=0.1))
    assert corners[-2] == (228, pytest.approx(48 + 360 * 0.025, abs=0.1))
