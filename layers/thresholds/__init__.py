"""Threshold rules of layer files: what is beyond its threshold now, told to the alerts.

* `find_beyond(connection, layer, rule, now)`: the findings of one rule at a moment;
* `follow_rules(database, catalogue, now)`: all rules that are due, and the alerts they raise.
"""

from layers.thresholds.evaluating import boundaries_are_official, find_beyond
from layers.thresholds.following import follow_rules

__all__ = ["boundaries_are_official", "find_beyond", "follow_rules"]
