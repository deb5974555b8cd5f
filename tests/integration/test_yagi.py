"""The night of typhoon Yagi, replayed by published figures: what is seen, where first, who is told.

The page docs/yagi.md tells the same.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from api.demo import load_yagi
from gis.alerts.actions import Alert, list_alerts
from gis.alerts.gathering import SITUATION
from gis.alerts.states import Status
from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.clock import HERE
from gis.database.engine import Database
from gis.errors import BadInput
from layers.definition.catalogue import Catalogue
from layers.detect import run_method
from layers.ingest.demo import write_csv
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.yagi import BEGIN, DISTRICTS, END, LANDSLIDE, communes_of, yagi_reports
from layers.jobs.alert_maintenance import advance_all
from layers.storage.sync import sync
from tests.databases import Server, template
from tests.integration.notify.made import subscribe
from tests.integration.test_hotspots import LAYER
from tests.integration.test_situations import places_of, report
from tests.provinces import grid_communes, write_boundaries

PAGE = Path(__file__).parents[2] / "docs" / "yagi.md"
HISTORY = package_history()
BAO_YEN = next(one for one in DISTRICTS if one.name == "Bảo Yên")
# Instants at which the desk's screen is read.
HOURS = [BEGIN + timedelta(hours=n) for n in (2, 4, 6, 8, 13, 14, 18)]


@dataclass(frozen=True)
class Told:
    """A notification of the night: when, of which alert and step, to whom."""

    at: datetime
    alert: int
    rule: str
    act: str
    who: str


@dataclass(frozen=True)
class Night:
    """What the service made of the night; the situation as of each instant read."""

    told: list[Told]
    seen: dict[datetime, Alert | None]
    last: list[Alert]


@pytest.fixture(scope="module")
def province(
    postgres: Server, migrated: str, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """99 square communes of real names, forty ordinary days, the night, and three subscriptions."""
    folder = tmp_path_factory.mktemp("yagi")
    path = write_boundaries(folder, grid_communes())
    source = BoundarySource("grid", BoundaryQuality.OFFICIAL, (path,))
    with template(postgres, migrated) as (_, database):
        load_boundaries(database, source, HISTORY)
        with database.writing() as connection:
            sync(connection, catalogue)
        live_as_usual(database)
        write_csv(folder / "yagi.csv", yagi_reports(with_names(), HISTORY, END))
        options = LoadOptions(who="tests", source="yagi", simulated=True, today=END.date())
        load_file(database, catalogue.get(LAYER), folder / "yagi.csv", options)
        with database.writing() as connection:
            subscribe(connection, "trực tỉnh", least_severity="alert")
            subscribe(connection, "lãnh đạo", least_severity="urgent")
            codes = communes_of(HISTORY, BAO_YEN)
            subscribe(connection, "trực Bảo Yên", least_severity="alert", communes=codes)
        yield database


def with_names():
    communes = grid_communes()
    return communes.assign(full_name=communes["name"])


def live_as_usual(database: Database) -> None:
    """Forty days of 42 reports of three subjects, anywhere, until noon before the night."""
    places, random, end = places_of(database), np.random.default_rng(3), BEGIN - timedelta(hours=6)
    codes = random.choice(sorted(places), 40 * 42).tolist()
    points = np.array([places[code] for code in codes]) + random.uniform(-0.01, 0.01, (1680, 2))
    times = [end - timedelta(days=40) * share for share in random.random(1680)]
    for n, category in enumerate(("traffic", "disaster", "environment")):
        report(database, codes[n::3], points[n::3], times[n::3], category, simulated=True)


@pytest.fixture(scope="module")
def night(province: Database, catalogue: Catalogue) -> Night:
    told: list[Told] = []
    seen: dict[datetime, Alert | None] = {}
    for at in HOURS:
        for method in ("stp_scan", "series"):
            run_method(province, catalogue.get(LAYER), method, at)
        advance_all(province, catalogue, at)
        with province.reading() as connection:
            told += _news(connection, at, len(told))
            found = list_alerts(connection, layers=[LAYER])
        seen[at] = next((one for one in found if one.rule == SITUATION), None)
    return Night(told, seen, found)


def _news(connection, at: datetime, known: int) -> list[Told]:
    rows = connection.execute(text(
        "SELECT n.alert_id, n.alert ->> 'rule', n.act, s.name FROM gis.delivery d"
        " JOIN gis.notification n ON n.seq = d.seq JOIN gis.subscription s"
        " ON s.id = d.subscription_id ORDER BY d.id OFFSET :known"), {"known": known})  # fmt: skip
    return [Told(at, *row) for row in rows]


def district_of(code: str) -> str:
    """The district of old of a commune of today, where the scenario has it."""
    names = [one.name for one in DISTRICTS if code in communes_of(HISTORY, one)]
    return names[0] if names else "–"


# The scenario itself.


def test_there_are_as_many_reports_as_the_figures_say_each_of_its_own_district():
    reports = yagi_reports(with_names(), HISTORY, END)
    by_district = Counter(one.report_id.split("-")[1] for one in reports)
    assert by_district == {one.code: one.figure for one in DISTRICTS}
    assert (sum(one.figure for one in DISTRICTS if one.code < "100"), len(reports)) == (172, 226)
    assert reports == yagi_reports(with_names(), HISTORY, END)
    assert reports == sorted(reports, key=lambda one: one.received_at)
    squares = with_names().set_index("code").geometry
    for one in reports[::10]:
        here = squares.index[squares.contains(_point(one))]
        district = next(each for each in DISTRICTS if each.code == one.report_id.split("-")[1])
        assert set(here) <= set(communes_of(HISTORY, district))


def _point(one):
    from shapely import Point

    return Point(float(one.lon), float(one.lat))


def test_each_report_says_what_is_published_and_what_is_assumed():
    for one in yagi_reports(with_names(), HISTORY, END):
        assert one.description.startswith("Mô phỏng bão Yagi. Số công bố ngày 14/9/2024: ")
        assert "giả định" in one.description
        assert (one.reporter_name, one.reporter_phone, one.reporter_email) == ("", "", "")


def test_nothing_comes_from_bao_yen_before_the_landslide_and_phuc_khanh_is_its_first():
    mine = [one for one in yagi_reports(with_names(), HISTORY, END) if "-087-" in one.report_id]
    assert datetime.fromisoformat(mine[0].happened_at) == LANDSLIDE
    squares = with_names().set_index("code").geometry
    (first,) = squares.index[squares.contains(_point(mine[0]))]
    wards = {one.code: one.name for one in HISTORY.units if one.parent == "087"}
    old = {wards[change.old] for change in HISTORY.changes if change.new == first
           and change.old in wards}  # fmt: skip
    assert "Phúc Khánh" in old


@pytest.mark.parametrize("hours", [0, 1000])
def test_the_night_ends_when_it_is_said_to(hours: int):
    end = END + timedelta(hours=hours)
    last = yagi_reports(with_names(), HISTORY, end)[-1]
    assert end - timedelta(hours=1) < datetime.fromisoformat(last.received_at) <= end


def test_the_scenario_stays_away_from_real_records(toy_province, catalogue, tmp_path):
    path = tmp_path / "real.csv"
    path.write_text("report_id,happened_at,category,lon,lat\n"
                    "a,2026-03-01T08:00:00+07:00,traffic,104.15,22.05\n")  # fmt: skip
    load_file(toy_province, catalogue.get(LAYER), path, LoadOptions(who="tests", source="x"))
    with pytest.raises(BadInput, match="holds real records"):
        load_yagi(toy_province, catalogue, END, lambda done, of: None)


# What the service makes of it.


def test_the_night_is_one_situation_hours_before_the_landslide(night: Night):
    first = next(at for at, found in night.seen.items() if found is not None)
    assert first < LANDSLIDE
    found = night.seen[first]
    assert found is not None
    assert (found.severity, found.simulated, found.status) == ("urgent", True, Status.OPEN)
    assert "Thiên tai" in found.headline_vi
    # Figures decide what is first: Bắc Hà has most of those that begin in the evening.
    assert found.situation is not None
    ranked = [district_of(one["code"]) for one in found.situation["communes"]]
    assert "Bắc Hà" in ranked[:3]


def test_the_valley_of_the_landslide_leads_the_list_within_two_hours(night: Night):
    found = night.seen[LANDSLIDE + timedelta(hours=2)]
    assert found is not None and found.situation is not None
    assert district_of(found.situation["communes"][0]["code"]) == "Bảo Yên"
    before = night.seen[LANDSLIDE - timedelta(hours=4)]
    assert before is not None and before.situation is not None
    assert "Bảo Yên" not in {district_of(one["code"]) for one in before.situation["communes"]}


def test_the_desk_is_notified_at_once_and_again_when_the_night_grows(night: Night):
    first = next(at for at, found in night.seen.items() if found is not None)
    to_desk = [one for one in night.told if one.who == "trực tỉnh" and one.rule == SITUATION]
    assert (to_desk[0].at, to_desk[0].act) == (first, "open")
    assert {one.act for one in to_desk[1:]} <= {"notify", "escalate"}
    assert any(one.act == "notify" and one.at >= LANDSLIDE for one in to_desk)
    leaders = [one for one in night.told if one.who == "lãnh đạo" and one.rule == SITUATION]
    assert leaders[0].at == first


def test_bao_yen_is_notified_when_its_communes_are_in_it_and_not_before(night: Night):
    mine = [one for one in night.told if one.who == "trực Bảo Yên" and one.rule == SITUATION]
    assert mine and LANDSLIDE < mine[0].at <= LANDSLIDE + timedelta(hours=2)


def test_what_lies_within_the_situation_is_seen_and_not_notified_beside_it(night: Night):
    inside = {one.id for one in night.last if one.within_id is not None}
    assert len(inside) >= 3
    first = min(one.at for one in night.told if one.rule == SITUATION)
    told = {one.alert for one in night.told if one.at > first and one.who == "trực tỉnh"}
    assert len(told - {one.id for one in night.last if one.rule == SITUATION}) <= 2


def test_the_page_says_what_the_service_notified(night: Night):
    """Each row of the tables of this module is on the page, in both languages."""
    words = PAGE.read_text(encoding="utf-8")
    for row in (*figures(), *screens(night), *notifications(night)):
        assert row in words, f"docs/yagi.md lacks: {row}"


# The tables of the page.


def figures() -> list[str]:
    return [f"| {one.name} | {one.figure} | {one.begin:%H:%M %d/%m} |" for one in DISTRICTS]


def screens(night: Night) -> list[str]:
    rows = []
    for at, found in night.seen.items():
        clock = f"{at.astimezone(HERE):%H:%M %d/%m}"
        if found is None or found.situation is None:
            rows.append(f"| {clock} | – | | |")
            continue
        first = [f"{one['name']} ({district_of(one['code'])}) {one['observed']}"
                 for one in found.situation["communes"][:3]]  # fmt: skip
        rows.append(f"| {clock} | {found.observed:.0f} / {found.expected or 0:.1f} |"
                    f" {len(found.situation['communes'])} | {'; '.join(first)} |")  # fmt: skip
    return rows


def notifications(night: Night) -> list[str]:
    groups: dict[tuple[datetime, str, str], list[str]] = {}
    for one in night.told:
        groups.setdefault((one.at, one.rule, one.act), []).append(one.who)
    return [
        f"| {at.astimezone(HERE):%H:%M %d/%m} | {rule} | {act} |"
        f" {', '.join(f'{who} ×{n}' if n > 1 else who for who, n in Counter(names).items())} |"
        for (at, rule, act), names in groups.items()
    ]
