"""The duty roster as time passes: whose shift begins is notified of what is open, and gaps are an
alert.
"""

from datetime import datetime

from gis.database.engine import Database
from gis.notify.roster.gap_alert import judge_roster
from gis.notify.roster.store import has_roster, notify_on_duty, shift_begins
from layers.definition.catalogue import Catalogue
from layers.definition.recipients import layers_with_alerts
from layers.detect.thresholds import boundaries_are_official


class RosterDuty:
    """Shifts that began since the last round, by the leader's memory: a new leader begins anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notified: datetime | None = None
        self._had_roster = True  # until the first round says otherwise

    def follow(self, catalogue: Catalogue, now: datetime) -> None:
        """Notify those whose shift began, and judge the next day."""
        with self._database.reading() as connection:
            has_one = has_roster(connection)
            begun = self._notified is None or shift_begins(connection, self._notified, now)
        if not (has_one or self._had_roster):
            return
        layers = [layer.id for layer in layers_with_alerts(catalogue)]
        if begun:
            # In a transaction of its own: it takes the lock that others take last, at commit.
            with self._database.writing() as connection:
                notify_on_duty(connection)
        with self._database.writing() as connection:
            judge_roster(connection, layers, now, official=boundaries_are_official(connection))
        self._notified, self._had_roster = now, has_one
