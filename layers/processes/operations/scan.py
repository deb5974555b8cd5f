"""Scan: clusters of points in space and time that chance hardly explains, of any layer."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Text, cast, func, literal, select

from gis.errors import BadInput
from layers.definition.model import GeometryKind, LocalizedText, ScanOptions
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    Row,
    graduated,
    integer,
    number,
    parameter,
    words,
)

if TYPE_CHECKING:
    import pandas as pd

MOST_CASES = 100_000
_FINEST = 11  # H3 resolution of the places of records


class ScanParameters(Parameters):
    """The records, the days, and the size of a cluster."""

    records: LayerInput = parameter(..., "Quét lớp điểm", "Points to scan")
    until: date | None = parameter(
        None, "Ngày cuối (trống: ngày của bản ghi mới nhất)",
        "Last day (empty: that of the newest record)", ge=date(1900, 1, 1),
    )  # fmt: skip
    window_days: int = parameter(
        90, "Số ngày để biết mức thường", "Days from which the usual is known", ge=28, le=366
    )
    max_days: int = parameter(14, "Cụm dài nhất (ngày)", "Longest cluster (days)", ge=1, le=60)
    max_radius_km: float = parameter(
        10, "Bán kính lớn nhất (km)", "Largest radius (km)", gt=0, le=50
    )
    min_cases: int = parameter(3, "Ít nhất số ca", "Least number of cases", ge=2, le=1_000)
    once: bool = parameter(
        True, "Mỗi ô mỗi ngày chỉ tính một ca (như cảnh báo)",
        "Count one case a hex and day (as the alarms do)",
    )  # fmt: skip
    resolution: int = parameter(8, "Độ phân giải H3", "H3 resolution", ge=5, le=9)
    clusters: int = parameter(5, "Nhiều nhất số cụm", "Most clusters", ge=1, le=20)
    replicates: int = parameter(
        999, "Số hoán vị ngẫu nhiên", "Random orders that give p", ge=99, le=9_999
    )
    seed: int = parameter(0, "Hạt giống ngẫu nhiên", "Seed of the random orders", ge=0)


class Scan(Process[ScanParameters]):
    """The space-time permutation scan of the alarms (Kulldorff et al. 2005), once."""

    name = "scan"
    title = LocalizedText(vi="Quét cụm không gian – thời gian", en="Space-time scan")
    description = LocalizedText(
        vi="Vòng tròn nào trong những ngày cuối có nhiều ca hơn mức thường của nơi và ngày ấy. "
        "Cùng phép quét mà cảnh báo dùng, cho mọi lớp điểm có thời gian và mọi kỳ; p là của riêng "
        "lần quét này: xác suất để ngẫu nhiên cho cụm mạnh nhất như thế. Không tạo cảnh báo.",
        en="Which circle has more cases in the last days than its places and days explain. The "
        "scan of the alarms, for any layer of points with a time and any period; p is that of this "
        "scan alone: how likely chance gives a strongest cluster like it. It raises no alert.",
    )
    parameters = ScanParameters
    is_light = False
    examples = ({"records": "citizen_reports", "max_days": 7, "resolution": 7},)

    def run(self, context: Context, parameters: ScanParameters) -> NewCollection:
        import shapely

        from gis.hexes import boundaries
        from layers.detect.scan import by_all, draw_null, scan_stream, streams_of

        options = ScanOptions.model_validate(
            parameters.model_dump(exclude={"records", "until", "once"})
        )
        frame = _cases(context, parameters)
        last = int(frame["day"].max()) if parameters.until is None else _number(parameters.until)
        left_out = int(((frame["day"] > last) | (frame["day"] <= last - options.window_days)).sum())
        if left_out == len(frame):
            raise BadInput(
                f"no point lies in the {options.window_days} days until {_day(last)}: "
                f"they are of {_day(int(frame['day'].min()))} to {_day(int(frame['day'].max()))}"
            )
        context.report(0.1, f"{len(frame)} cases")
        rows: list[Row] = []
        summary: dict[str, Any] = {
            "cases": len(frame) - left_out,
            "outside_the_days": left_out,
            "first_day": _day(last - options.window_days + 1),
            "last_day": _day(last),
            "replicates": options.replicates,
            "seed": options.seed,
        }
        for stream in streams_of(frame, options, last):
            maxima = draw_null(stream, options)
            found = scan_stream(stream, options, by_all(maxima))
            summary |= {"by_weekday": found.stratified, "p": found.p}
            for cluster in found.clusters:
                area = shapely.union_all(boundaries(np.array(cluster.cells, np.int64)))
                values = {
                    "rank": cluster.rank,
                    "observed": cluster.observed,
                    "expected": cluster.expected,
                    "ratio": cluster.observed / cluster.expected,
                    "p": cluster.p,
                    "llr": cluster.llr,
                    "days": cluster.days,
                    "first_day": _day(last - cluster.days + 1),
                    "radius_m": cluster.radius_m,
                    "communes": ", ".join(cluster.communes),
                }
                rows.append((shapely.to_wkb(area), values))
        fields = {
            "rank": integer("Thứ hạng", "Rank"),
            "observed": integer("Số ca", "Cases"),
            "expected": number("Mức thường", "Expected"),
            "ratio": number("So với mức thường", "Cases to those expected", "1"),
            "p": number("Giá trị p", "p value"),
            "llr": number("Tỷ số hợp lý (log)", "Log likelihood ratio"),
            "days": integer("Số ngày", "Days"),
            "first_day": words("Từ ngày", "From day"),
            "radius_m": number("Bán kính", "Radius", "m"),
            "communes": words("Mã các xã", "Codes of communes"),
        }
        style = graduated("ratio", [0, 1.5, 2, 3, 5])
        return NewCollection(GeometryKind.POLYGON, fields, rows, summary, style)


def _cases(context: Context, parameters: ScanParameters) -> "pd.DataFrame":
    """The cases as the scan of the alarms reads them, of one stream; days are those of Vietnam."""
    import h3ronpy
    import h3ronpy.vector
    import pandas as pd

    source = context.source(parameters.records, (GeometryKind.POINT,))
    if "valid_at" not in source.by_name:
        raise BadInput(f"{source.layer.id} has no time: a scan is of points with a time")
    has_commune = "commune" in source.by_name
    names = ["valid_at", *(["commune"] if has_commune else [])]
    rows = context.rows(parameters.records, GeometryKind.POINT, names=names)
    commune = func.coalesce(cast(rows.c.commune, Text()), "") if has_commune else literal("")
    day = func.extract("epoch", func.timezone(timedelta(hours=7), rows.c.valid_at)) / 86_400
    found = context.connection.execute(
        select(rows.c.id, func.ST_X(rows.c.geom), func.ST_Y(rows.c.geom), func.floor(day), commune)
        .where(rows.c.valid_at.is_not(None)).order_by(rows.c.id).limit(MOST_CASES + 1)
    ).all()  # fmt: skip
    if not found:
        raise BadInput("there is no point with a time that meets the filter")
    if len(found) > MOST_CASES:
        raise BadInput(
            f"there are more than {MOST_CASES:,} points: narrow them with a filter or a time"
        )
    ids, lon, lat, days, communes = zip(*found, strict=True)
    places = (np.array(lat, float), np.array(lon, float))
    cells = np.asarray(h3ronpy.vector.coordinates_to_cells(*places, _FINEST)).astype(np.int64)
    frame = pd.DataFrame(
        {
            "id": np.array(ids, np.int64),
            "stream": parameters.records.layer,
            "cell": cells,
            "day": np.array(days, np.int64),
            "commune": list(communes),
            "in_alarm": True,
        }
    )
    if not parameters.once:
        return frame
    hexes = h3ronpy.change_resolution(cells.astype(np.uint64), parameters.resolution)
    seen = frame.assign(hex=np.asarray(hexes)).duplicated(["hex", "day"])
    return frame[~seen].reset_index(drop=True)


def _number(day: date) -> int:
    """The number of a day, as in layers.detect.observations."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _day(number_of_day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number_of_day)).isoformat()
