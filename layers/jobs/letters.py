"""Weekly letters to stewards: when some are due."""

from datetime import datetime

from gis.database.engine import Database
from gis.jobs.queue import enqueue
from layers.letters.sending import are_letters_due

LETTERS = "letters"  # the kind of its jobs


def queue_letters(database: Database, now: datetime) -> bool:
    """Queue the letters that are due; gives whether the job is new."""
    with database.writing() as connection:  # readers see no stewards
        if not are_letters_due(connection, now):
            return False
        return enqueue(connection, LETTERS, key=LETTERS) is not None
