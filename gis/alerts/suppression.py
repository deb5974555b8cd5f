"""Why nobody is told of an alert, as a value that each reader words; the history has it as text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silenced:
    """A person wants not to hear of it."""

    silence_id: int
    who: str
    why: str

    def __str__(self) -> str:
        return f"silence {self.silence_id} of {self.who}: {self.why}"


@dataclass(frozen=True, slots=True)
class InhibitedBy:
    """It is part of another alert; None: of one that is not stored."""

    alert_id: int | None

    def __str__(self) -> str:
        return "within an alert" if self.alert_id is None else f"within alert {self.alert_id}"


type Reason = Silenced | InhibitedBy
