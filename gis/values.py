"""Small values that travel through the whole service."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from gis.errors import BadInput


@dataclass(frozen=True, slots=True)
class BBox:
    """A box in degrees, WGS 84, longitude before latitude; west <= east, south <= north."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        if not (self.west <= self.east and self.south <= self.north):
            raise BadInput(
                f"bbox {self.west},{self.south},{self.east},{self.north} is empty: "
                "give west,south,east,north with west <= east and south <= north"
            )

    def holds(self, lon: float, lat: float) -> bool:
        return self.west <= lon <= self.east and self.south <= lat <= self.north

    def as_list(self) -> list[float]:
        return [self.west, self.south, self.east, self.north]

    @classmethod
    def of(cls, bounds: tuple[float, float, float, float]) -> Self:
        """The box of shapely's `bounds` (minx, miny, maxx, maxy)."""
        return cls(*(float(value) for value in bounds))


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """An interval of instants with zone, both ends included; None is an open end."""

    start: datetime | None
    end: datetime | None

    def __post_init__(self) -> None:
        if self.start and self.end and self.start > self.end:
            raise BadInput(f"time span starts at {self.start}, after its end {self.end}")
