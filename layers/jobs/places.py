"""Re-geocoding follows the units: a decree, better polygons, the day of a decree, a new layer."""

from sqlalchemy import text

from gis.database.engine import Database
from gis.jobs.queue import enqueue

PLACES = "places"  # the kind of its jobs


def queue_places(database: Database) -> bool:
    """Queue re-geocoding where units or layers are others than when it was last done; gives
    whether it is new.
    """
    with database.reading() as connection:
        state = connection.scalar(_STATE)
        if state is None or connection.scalar(_DONE, {"state": state}) is not None:
            return False
    with database.writing() as connection:
        number = enqueue(connection, PLACES, {"state": state}, key=PLACES, most_attempts=3)
    return number is not None


# What layers were placed on is compared with what they would be by the job itself, since that takes
# the polygons; here it matters only that something has changed.
_STATE = text("""
SELECT md5(concat_ws(' ', b.digest, gis.today(),
  (SELECT version FROM gis.layer WHERE id = 'communes'),
  (SELECT string_agg(id || coalesce(placed_on, ''), ' ' ORDER BY id)
   FROM gis.layer WHERE published)))
FROM gis.boundary_state b
""")
_DONE = text("""
SELECT id FROM gis.job
WHERE key = 'places' AND (state IN ('queued', 'running') OR arguments ->> 'state' = :state
                          AND (state = 'succeeded' OR ended_at > now() - interval '1 minute'))
LIMIT 1
""")
