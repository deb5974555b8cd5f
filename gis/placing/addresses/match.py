"""Result of resolving an address: a commune, or candidates."""

from dataclasses import dataclass
from typing import Any

from gis.boundaries.units import Unit


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commune of today that the text may mean, or a place in it, and why (Vietnamese / English).

    `code` is that of the commune.
    """

    code: str
    name: str
    why: str

    def to_dict(self) -> dict[str, str]:
        return {"code": self.code, "name": self.name, "why": self.why}


@dataclass(frozen=True, slots=True)
class AddressMatch:
    """The commune of today that an address lies in, or the candidates when it is not certain.

    `commune` is None when the text is ambiguous, says too little, or lies outside the province.
    `unit_then` is the unit of the day asked for, when known; without a day, the unit that the
    text names. `era` is `old` (units before their last reform), `new`, or `either` when both
    readings end in the same commune; None without a commune. `confidence` 0–1, 0 without a
    commune. `precision_m` is the radius in metres of a circle as large as the unit read, or the
    precision of the place found. `abroad`: the text names a place outside the province. `lon`,
    `lat` (degrees, WGS 84), `cell` (H3, resolution 11) and `matched`, its name, are those of a
    place of the gazetteer, else None. Among `candidates` may be places of one name, each with its
    commune. `why` is a sentence, Vietnamese / English.
    """

    commune: Unit | None = None
    unit_then: Unit | None = None
    era: str | None = None
    abroad: bool = False
    confidence: float = 0.0
    precision_m: float | None = None
    cell: str | None = None
    candidates: tuple[Candidate, ...] = ()
    why: str = ""
    lon: float | None = None
    lat: float | None = None
    matched: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as the API gives it."""
        commune = self.commune
        return {
            "commune": commune and {"code": commune.code, "name": commune.full_name},
            "era": self.era,
            "confidence": self.confidence,
            "precision_m": self.precision_m,
            "lon": self.lon,
            "lat": self.lat,
            "cell": self.cell,
            "matched": self.matched,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "why": self.why,
        }
