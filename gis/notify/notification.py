"""A notification: one event of an alert's lifecycle, with the alert as it stood then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gis.alerts.states import ENDS


class Language(StrEnum):
    VI = "vi"
    EN = "en"


@dataclass(frozen=True, slots=True)
class CommuneName:
    """A commune of today."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Notification:
    """An event and its alert. Texts are by language; `cells` are H3, `geometry` is GeoJSON
    (longitude, latitude, WGS 84).

    `measures` holds those known of observed, expected, llr, p, recurrence_days, method, version.
    """

    seq: int
    at: datetime
    act: str
    alert_id: int
    layer_id: str
    rule: str
    status: str
    severity: str
    title: Mapping[Language, str]  # of the layer
    subject: Mapping[Language, str]  # the rule, else the stream, else the layer
    headline: Mapping[Language, str]
    detail: Mapping[Language, str]
    places: tuple[CommuneName, ...]
    cells: tuple[int, ...]
    geometry: Mapping[str, Any] | None
    official: bool
    simulated: bool
    opened_at: datetime
    updated_at: datetime
    since: datetime | None = None
    until: datetime | None = None
    approved: bool = False
    confirmed: bool = False
    quiet_days: int = 14
    categories: tuple[str, ...] = ("Other",)
    measures: Mapping[str, float | str] = field(default_factory=dict)
    province: str | None = None  # its code of today

    @property
    def is_over(self) -> bool:
        return self.status in ENDS
