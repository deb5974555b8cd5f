"""The states of an alert, and which may follow which.

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
    """What the history tells: a new state by its name, or something that changes none."""

    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    FALSE = "false"
    UPDATE = "update"  # more, less or other evidence
    NOTIFY = "notify"  # evidence of which people are told again
    CORRECTED = "corrected"  # records went or were mended: less than people were told
    ESCALATE = "escalate"  # nobody looked after it in time
    COMMENT = "comment"
    APPROVED = "approved"  # a person made it public
    RENEWED = "renewed"  # it outlasts its CAP document, so another is made


class Outcome(StrEnum):
    """What became of it, said by the person who resolves it."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @property
    def status(self) -> Status:
        return Status.FALSE if self is Outcome.FALSE else Status.RESOLVED


ENDS = frozenset({Status.RESOLVED, Status.EXPIRED, Status.FALSE})
LIVE = frozenset(Status) - ENDS
# What the desk works on, before anybody else is told.
UNTOLD = frozenset({Status.PENDING, Status.SUPPRESSED})

MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: ENDS | {Status.OPEN, Status.SUPPRESSED},
    Status.OPEN: ENDS | {Status.ACKNOWLEDGED, Status.SUPPRESSED},
    Status.ACKNOWLEDGED: ENDS | {Status.SUPPRESSED},
    Status.SUPPRESSED: ENDS | {Status.PENDING, Status.OPEN, Status.ACKNOWLEDGED},
} | {end: frozenset() for end in ENDS}


def check_move(what: str, now: Status, to: Status) -> None:
    """Raises Conflict unless `to` may follow `now`; `what` names the alert."""
    if to not in MOVES[now]:
        raise Conflict(f"{what} is {now}, so it cannot become {to}")
