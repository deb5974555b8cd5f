"""Functions of events and payloads have other names; their texts are in functions/."""

from alembic import op

revision = "0044"
down_revision = "0042"

_FORMER = (
    "alert_as_told(bigint)",
    "shape_as_told(geometry)",
    "subject_of(gis.alert, jsonb)",
    "tell_step()",
    "tell_waiting()",
    "fill_outbox(gis.notice)",
    "is_wanted(gis.notice, gis.subscription)",
    "is_wanted_by_file(gis.notice, jsonb)",
    "is_wanted_by_itself(gis.notice, gis.subscription)",
    "named_in(gis.notice, gis.subscription)",
    "rank_told(gis.notice)",
    "is_corrected(gis.notice)",
)


def upgrade() -> None:
    for function in _FORMER:
        op.execute(f"DROP FUNCTION IF EXISTS gis.{function} CASCADE")
