"""Threshold rules of layer files: findings beyond a threshold now, for the alerts.

* `find_beyond(connection, layer, rule, now)`: the findings of one rule at a moment;
* `follow_rules(database, catalogue, now)`: all rules that are due, and the alerts they raise.
"""

from layers.detect.thresholds.evaluation import boundaries_are_official, find_beyond
from layers.detect.thresholds.schedule import evaluate_rules

__all__ = ["boundaries_are_official", "evaluate_rules", "find_beyond"]
