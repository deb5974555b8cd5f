"""The night of typhoon Yagi as a scenario: simulated reports by published figures.

Published are the dead and missing of each old district, as told on 14 September 2024, and that Làng
Nủ (Phúc Khánh, Bảo Yên) was buried on the morning of the 10th. Assumed, and said so in each report:
that there are as many reports as people of that figure, their hours, and their places within the
district, which are spread evenly over its communes of today.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import geopandas as gpd
import numpy as np

from gis.boundaries.units import Level, UnitHistory
from gis.clock import HERE, today
from gis.errors import BadInput
from layers.ingest.demo import Report, scattered_in

END: Final = datetime(2024, 9, 10, 12, tzinfo=HERE)
BEGIN: Final = datetime(2024, 9, 9, 18, tzinfo=HERE)
LANDSLIDE: Final = datetime(2024, 9, 10, 6, tzinfo=HERE)  # "in the morning"
_SPREAD_KM = 1.5
_SEED = 2024
_CALL: Final = timedelta(minutes=5)  # from the event to the report


@dataclass(frozen=True, slots=True)
class District:
    """An old district and its published figure: dead and missing, as told on 14 September 2024."""

    code: str
    name: str
    figure: int
    begin: datetime = BEGIN  # of its reports; assumed
    first_ward: str | None = None  # whose commune of today reports first


DISTRICTS: Final = (
    District("087", "Bảo Yên", 103, LANDSLIDE, first_ward="Phúc Khánh"),
    District("085", "Bắc Hà", 34),
    District("132", "thành phố Yên Bái", 24),
    District("082", "Bát Xát", 17),
    District("135", "Lục Yên", 14),
    District("136", "Văn Yên", 10),
    District("088", "Sa Pa", 9),
    District("084", "Si Ma Cai", 7),
    District("138", "Trấn Yên", 4),
    District("089", "Văn Bàn", 2),
    District("140", "Văn Chấn", 2),
)


def yagi_reports(communes: gpd.GeoDataFrame, history: UnitHistory, until: datetime) -> list[Report]:
    """The reports of the night, of which the last hour ends at `until`, in the order of receipt.

    `communes` has columns code, full_name, geometry (EPSG:4326). Raises BadInput where the units of
    before 1 July 2025 are not known, or where they are not those of Lào Cai.
    """
    random = np.random.default_rng(_SEED)
    reports = [
        report
        for district in DISTRICTS
        for report in _of_district(communes, history, district, until - END, random)
    ]
    return sorted(reports, key=lambda report: report.received_at)


def communes_of(history: UnitHistory, district: District) -> list[str]:
    """Codes of the communes of today that an old district became, the first to report first."""
    last_day = BEGIN.date()
    wards = [ward for ward in history.on(last_day, Level.COMMUNE) if ward.parent == district.code]
    first = [ward for ward in wards if ward.name == district.first_ward]
    codes = [
        code
        for ward in (*first, *sorted(wards, key=lambda ward: ward.code))
        for code, _, _ in history.successors(ward.code, last_day, today())
    ]
    return list(dict.fromkeys(codes))


def _of_district(
    communes: gpd.GeoDataFrame,
    history: UnitHistory,
    district: District,
    shift: timedelta,
    random: np.random.Generator,
) -> Iterator[Report]:
    known = communes.set_index("code").geometry
    codes = [code for code in communes_of(history, district) if code in known.index]
    if not codes:
        raise BadInput(
            f"the scenario needs the communes that {district.name} became in 2025: it is one of "
            "Lào Cai, with its units of before 1 July 2025"
        )
    words = (
        f"Mô phỏng bão Yagi. Số công bố ngày 14/9/2024: {district.name} {district.figure} người "
        "chết hoặc mất tích. Giờ, xã và số phản ánh là giả định."
    )
    step = (END - district.begin) / district.figure
    places = _in_turn(codes, district)
    for n, code in enumerate(places):
        lon, lat = scattered_in(known[code], _SPREAD_KM, random)
        happened = district.begin + n * step + shift
        yield Report(
            report_id=f"YAGI-{district.code}-{n + 1:03}",
            happened_at=happened.isoformat(),
            received_at=(happened + min(_CALL, step / 2)).isoformat(),
            category="disaster",
            description=words,
            status="received",
            lon=f"{lon:.6f}",
            lat=f"{lat:.6f}",
            address="",
            commune="",
            reporter_name="",
            reporter_phone="",
            reporter_email="",
        )


def _in_turn(codes: Sequence[str], district: District) -> list[str]:
    """The commune of each report: all in turn, but those of the first ward before the others."""
    spread = [codes[n % len(codes)] for n in range(district.figure)]
    return spread if district.first_ward is None else sorted(spread, key=codes.index)
