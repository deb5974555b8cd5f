"""Rules of risk: hexes where a level of the law meets people, roads or records, by commune."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select, text

from gis.access import LOCAL_ADMIN
from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Tier
from gis.hexes import Cells
from gis.rasters.raster import RasterStack
from gis.text import number_en, number_vi
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer, RiskRule
from layers.exposure import Floats, kilometres_in, people_in, records_in
from layers.rasters import readable_raster
from layers.storage.tables import table_of

_DAY = timedelta(hours=24)


def find_risk(
    connection: Connection,
    catalogue: Catalogue,
    layer: Layer,
    rule: RiskRule,
    now: datetime,
    folder: Path,
) -> Findings:
    """A finding for each commune with a hex where the level is reached and meets what is named.

    By the newest day of rain that had ended; none where it ended too long ago. A hex whose level is
    unknown is in none. Raises NotFound where a raster is not there.
    """
    from gis.placing.reference import stored_territory

    assert layer.alerts is not None
    territory = stored_territory(connection)
    rain = readable_raster(connection, rule.rain, LOCAL_ADMIN).require_stack()
    place = readable_raster(connection, rule.susceptibility, LOCAL_ADMIN).require_stack()
    end = newest_end(rain, now)
    signals: tuple[Signal, ...] = ()
    if end is not None and now - end <= timedelta(hours=rule.stale_hours):
        cells = territory.cells(rule.resolution).astype(np.int64)
        levels = _levels(rain, place, folder, cells, end)
        met = _met(connection, catalogue, layer, rule, cells, end)
        at_risk = np.flatnonzero((levels >= rule.from_level) & met.is_any(rule))
        communes = territory.communes_of(cells[at_risk].astype(np.uint64))
        by_commune: dict[str, list[int]] = {}
        for at, commune in zip(at_risk.tolist(), communes, strict=True):
            if commune is not None:
                by_commune.setdefault(commune, []).append(at)
        names = {row.code: row.full_name for row in connection.execute(_NAMES)}
        simulated = rain.is_simulated or place.is_simulated
        signals = tuple(
            _signal(rule, commune, names.get(commune, commune), cells, levels, met,
                    np.array(hexes), end, simulated=simulated)
            for commune, hexes in sorted(by_commune.items())
        )  # fmt: skip
    return Findings(
        layer_id=layer.id,
        rule=rule.id,
        until=now,
        official=territory.official,
        simulated=any(signal.simulated for signal in signals),
        signals=signals,
        policy=layer.alerts.threshold_policy(rule),
        version=connection.scalar(_VERSION, {"layer": layer.id}),
    )


def newest_end(rain: RasterStack, now: datetime) -> datetime | None:
    """The end of the newest step that had ended; None where there is none."""
    ends = [step.span.end for step in rain.rasters if step.span and step.span.end]
    return max((end for end in ends if end <= now), default=None)


@dataclass(frozen=True)
class MetByHex:
    """What is in n hexes; NaN, None: it is not known, or not asked for."""

    people: Floats
    roads_km: Floats | None
    records: Floats | None

    def is_any(self, rule: RiskRule) -> npt.NDArray[np.bool_]:
        """True where one of what a rule names is met; everywhere where it names nothing."""
        asked = []
        if rule.people is not None:
            asked.append(np.nan_to_num(self.people) >= rule.people)
        if self.roads_km is not None:
            asked.append(self.roads_km > 0)
        if rule.records is not None and self.records is not None:
            asked.append(self.records >= rule.records)
        return np.any(asked, axis=0) if asked else np.ones(len(self.people), np.bool_)

    def total(self, hexes: npt.NDArray[np.intp]) -> Mapping[str, float]:
        """Sums over some hexes of what is known."""
        found = {"people": self.people, "roads_km": self.roads_km, "records": self.records}
        return {
            name: float(np.nansum(values[hexes]))
            for name, values in found.items()
            if values is not None and np.isfinite(values).any()
        }


def _levels(
    rain: RasterStack, place: RasterStack, folder: Path, cells: Cells, end: datetime
) -> npt.NDArray[np.int64]:
    from gis.risk.assessment import RiskAssessor
    from gis.risk.law import read_risk_table

    assessor = RiskAssessor(rain, place, folder, cells, read_risk_table())
    return assessor.assess(end).level


def _met(
    connection: Connection,
    catalogue: Catalogue,
    layer: Layer,
    rule: RiskRule,
    cells: Cells,
    end: datetime,
) -> MetByHex:
    roads = None
    if rule.roads is not None:
        lines = table_of(catalogue.get(rule.roads))
        wkb = select(func.ST_AsBinary(lines.c.geom)).where(lines.c.geom.is_not(None))
        roads = kilometres_in(connection, wkb, cells)
    records = None
    if rule.records is not None:
        rows = table_of(layer)
        places = select(func.ST_X(rows.c.geom), func.ST_Y(rows.c.geom)).where(
            rows.c.geom.is_not(None), rows.c.default_point.is_(False), rows.c.valid_at > end - _DAY
        )
        records = records_in(connection, places, cells)
    return MetByHex(people_in(connection, cells), roads, records)


def _signal(
    rule: RiskRule,
    commune: str,
    name: str,
    cells: Cells,
    levels: npt.NDArray[np.int64],
    met: MetByHex,
    hexes: npt.NDArray[np.intp],
    end: datetime,
    *,
    simulated: bool,
) -> Signal:
    level = int(levels[hexes].max())
    total = met.total(hexes)
    vi = [f"cấp {level} tại {len(hexes)} ô"]
    en = [f"level {level} in {len(hexes)} hexes"]
    for key, (vi_word, en_word) in _WORDS.items():
        if key in total:
            digits = 1 if key == "roads_km" else 0
            vi.append(f"{number_vi(total[key], digits)} {vi_word}")
            en.append(f"{number_en(total[key], digits)} {en_word}")
    urgent = rule.urgent_from is not None and level >= rule.urgent_from
    return Signal(
        tier=Tier.URGENT if urgent else rule.tier,
        observed=float(level),
        since=end - _DAY,
        until=end,
        headline_vi=f"{rule.title.vi}: {name}, {', '.join(vi)}",
        headline_en=f"{rule.title.en}: {name}, {', '.join(en)}",
        detail_vi="Theo Điều 46 Quyết định 18/2021/QĐ-TTg, mưa 24 giờ tới 19 giờ. Ô không xác định "
        "được thì không tính.",
        detail_en="By Article 46 of Decision 18/2021/QĐ-TTg and the rain of 24 hours. Hexes whose "
        "level is unknown are not counted.",
        cells=tuple(cells[hexes].tolist()),
        communes=(commune,),
        measures={"rule": rule.kind, "level": level, "hexes": len(hexes), **total},
        key=commune,
        beyond=float(level - rule.from_level + 1),
        simulated=simulated,
    )


_WORDS = {
    "people": ("dân", "people"),
    "roads_km": ("km đường", "km of roads"),
    "records": ("bản ghi trong 24 giờ", "records in 24 hours"),
}

_NAMES = text("SELECT code, full_name FROM layer.communes")
_VERSION = text("SELECT version FROM gis.layer WHERE id = :layer")
