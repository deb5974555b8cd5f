"""Reasons for which an alert is suppressed, as values; the history has them as text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silenced:
    """Silenced by a person."""

    silence_id: int
    who: str
    why: str

    def __str__(self) -> str:
        return f"silence {self.silence_id} of {self.who}: {self.why}"


@dataclass(frozen=True, slots=True)
class InhibitedBy:
    """Inhibited by another alert that covers it; None: by one that is not stored."""

    alert_id: int | None

    def __str__(self) -> str:
        return "within an alert" if self.alert_id is None else f"within alert {self.alert_id}"


type Reason = Silenced | InhibitedBy
