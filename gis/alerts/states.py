"""The states of an alert and the moves between them.

pending ──► open ──► acknowledged ──► resolved, false (said by a person)
   │          │            │     └──► expired (its evidence is gone)
   └──────────┴─► suppressed ◄┘  ──► what it was before, or an end
"""

from enum import StrEnum

from gis.errors import Conflict


class Status(StrEnum):
    PENDING = "pending"  # evidence that has not held for long enough
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"  # silenced, or inhibited by another alert
    RESOLVED = "resolved"
    EXPIRED = "expired"
    FALSE = "false"


class Act(StrEnum):
    """The act of an event: a new state by its name, or one that changes no state."""

    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    FALSE = "false"
    UPDATE = "update"  # more, less or other evidence
    NOTIFY = "notify"  # news: other evidence of which recipients are notified again
    CORRECTED = "corrected"  # records were deleted or corrected: less than was notified
    ESCALATE = "escalate"  # nobody acknowledged it in time
    COMMENT = "comment"
    APPROVED = "approved"  # it was made public
    WITHDRAWN = "withdrawn"  # a person took that back
    RENEWED = "renewed"  # it outlasts its CAP document, so another is made


class Outcome(StrEnum):
    """The outcome of an alert, by the judgement of the person who resolves it."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @property
    def status(self) -> Status:
        return Status.FALSE if self is Outcome.FALSE else Status.RESOLVED


ENDS = frozenset({Status.RESOLVED, Status.EXPIRED, Status.FALSE})
LIVE = frozenset(Status) - ENDS
# Shown to operators alone; recipients are not notified.
NOT_NOTIFIED = frozenset({Status.PENDING, Status.SUPPRESSED})

MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: ENDS | {Status.OPEN, Status.SUPPRESSED},
    Status.OPEN: ENDS | {Status.ACKNOWLEDGED, Status.SUPPRESSED},
    Status.ACKNOWLEDGED: ENDS | {Status.SUPPRESSED},
    Status.SUPPRESSED: ENDS | {Status.PENDING, Status.OPEN, Status.ACKNOWLEDGED},
} | {end: frozenset() for end in ENDS}


def check_move(name: str, now: Status, to: Status) -> None:
    """Raises Conflict unless `to` may follow `now`; `name` is that of the alert."""
    if to not in MOVES[now]:
        raise Conflict(f"{name} is {now}, so it cannot become {to}")
