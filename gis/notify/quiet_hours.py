"""Quiet hours of a subscription: a time of each day in which only what is urgent is sent."""

import re
from dataclasses import dataclass
from datetime import time
from typing import Self

from gis.errors import BadInput

_TEXT = re.compile(r"(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` up to, not including, `end`, by the clock of Vietnam; over midnight where `end`
    is earlier.
    """

    begin: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """The hours of a text such as 22:00-06:00. Raises BadInput."""
        match = _TEXT.fullmatch(text.strip())
        try:
            if match is None:
                raise ValueError
            end = "0:00" if match[0].endswith("24:00") else f"{match[3]}:{match[4]}"
            hours = cls(_clock(f"{match[1]}:{match[2]}"), _clock(end))
        except ValueError:
            raise BadInput(f"“{text}” are no hours: write such as 22:00-06:00") from None
        if hours.begin == hours.end:
            raise BadInput(f"“{text}” has no length: end the subscription for quiet at any hour")
        return hours

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def _clock(text: str) -> time:
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))
