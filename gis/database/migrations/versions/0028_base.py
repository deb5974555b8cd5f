"""The tables of the first release, by topic; see the SQL files of gis/database/migrations/base.

Databases that reached this revision by the 28 migrations before are simply at it.
"""

from alembic import op

from gis.database.migrate import MIGRATIONS, run_sql

revision = "0028"
down_revision = None


def upgrade() -> None:
    for topic in ("units", "layers", "tiles", "runs", "alerts", "notify"):
        run_sql(op.get_bind(), MIGRATIONS / "base" / f"{topic}.sql")
