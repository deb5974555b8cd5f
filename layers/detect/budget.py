"""The rules that share a layer's budget of false alerts."""

from typing import Final

from gis.alerts.calibration import Budget
from layers.definition.model import Layer
from layers.detect.methods import METHODS

# The rule under which a method raises alerts → the method.
STATISTICAL: Final = {method.rule: name for name, method in METHODS.items() if method.rule}


def budget_of(layer: Layer) -> Budget | None:
    """The false alerts that the alarms of a layer may raise; None where it has no alarms."""
    if layer.alerts is None or layer.hotspots is None:
        return None
    return Budget(layer.id, tuple(STATISTICAL), layer.alerts.false_alerts_a_year)
