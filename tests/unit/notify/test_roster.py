"""Shifts: local times, the hours that none covers held against a count by minutes, files."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.clock import HERE
from gis.errors import BadFile, BadInput
from gis.notify.roster.file import LayerWords, RosterWords, read_roster
from gis.notify.roster.shifts import Shift, Subject, gaps, local_moment, outside, subjects_of

DAY = datetime(2026, 12, 1, tzinfo=HERE)
LAYERS, COMMUNES = ("reports", "power"), ("00001", "00004", "00007")


def at(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-12-01", 0),
        ("2026-12-01 07:00", 7),
        ("2026-12-01T07:30:00", 7.5),
        ("01/12/2026 7:05", 7 + 5 / 60),
        ("1.12.2026 19h", 19),
        ("01-12-2026 7h30", 7.5),
        ("01/12/2026 24:00", 24),
        ("02/12/2026 00:00", 24),
        ("31/12/2026 24:00", 31 * 24),
    ],
)
def test_a_local_time_is_seven_hours_before_utc(text: str, hours: float):
    assert local_moment(text) == at(hours)
    assert local_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "7:00", "2026-12-01 25:00", "2026-12-01 24:01", "2026-12-01 07:60", "31/11/2026",
     "12/13/2026 07:00", "2026-02-30", "31/12/9999 24:00", "2026-12-01 07:00Z"],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(text: str):
    with pytest.raises(BadInput):
        local_moment(text)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_any_minute_of_any_year_is_the_same_written_both_ways(moment: datetime):
    """The country has no summer time: no local minute is missing or comes twice."""
    minute = moment.replace(second=0, microsecond=0, tzinfo=HERE)
    assert local_moment(minute.strftime("%Y-%m-%d %H:%M")) == minute
    assert local_moment(minute.strftime("%d/%m/%Y %H:%M")) == minute


hours = st.integers(-6, 54)
SHIFTS = st.lists(
    st.builds(
        lambda start, length, communes, layers, categories: Shift(
            "a", at(start), at(start + length), communes, layers, categories
        ),
        hours,
        st.integers(1, 30),
        st.frozensets(st.sampled_from(COMMUNES), max_size=2),
        st.frozensets(st.sampled_from(LAYERS), max_size=1),
        st.frozensets(st.sampled_from(("traffic", "health")), max_size=1),
    ),
    max_size=8,
)


@given(SHIFTS)
@settings(max_examples=200)
def test_gaps_are_the_hours_in_which_nobody_covers_a_subject(shifts: list[Shift]):
    subjects = subjects_of(shifts, LAYERS, COMMUNES)
    found = gaps(shifts, subjects, at(0), at(48))
    for before, after in pairwise(found):
        assert before.until <= after.since
        assert before.until < after.since or before.subjects != after.subjects
    for hour in range(48):
        missing = {
            subject
            for subject in subjects
            if not any(shift.is_at(at(hour)) and shift.covers(subject) for shift in shifts)
        }
        told = [gap for gap in found if gap.since <= at(hour) < gap.until]
        assert (told[0].subjects if told else set()) == missing
        assert len(told) == bool(missing)
        assert bool(told and told[0].whole) == (missing == subjects)


@given(SHIFTS, hours, st.integers(1, 24))
def test_outside_of_a_period_nothing_changes_and_within_nobody_is_left(shifts, start, length):
    since, until = at(start), at(start + length)
    rests = [rest for shift in shifts for rest in outside(shift, since, until)]
    for hour in range(-6, 84):
        on_duty = [shift for shift in shifts if shift.is_at(at(hour))]
        left = [rest for rest in rests if rest.is_at(at(hour))]
        assert len(left) == (0 if since <= at(hour) < until else len(on_duty))


def test_a_shift_ends_where_the_next_begins():
    day, night = Shift("a", at(7), at(19)), Shift("b", at(19), at(31))
    subjects = subjects_of([day, night], LAYERS, COMMUNES)
    assert gaps([day, night], subjects, at(7), at(31)) == []
    (gap,) = gaps([day, night], subjects, at(6), at(31))
    assert (gap.since, gap.until, gap.whole, gap.hours) == (at(6), at(7), True, 1)


def test_who_covers_each_category_leaves_alerts_without_one_to_nobody():
    shifts = [Shift("a", at(0), at(24), categories=frozenset({"traffic"}))]
    subjects = subjects_of(shifts, ["reports"], ["00001"])
    (gap,) = gaps(shifts, subjects, at(0), at(24))
    assert gap.subjects == {Subject("reports", "", "00001")}
    assert not gap.whole


UNITS = {"Sao Mai": {"00001"}, "huyện Cũ": {"00001", "00004"}}


def communes_of(text: str) -> set[str]:
    if text not in UNITS:
        raise BadInput(f"no commune {text}")
    return UNITS[text]


WORDS = RosterWords(
    layers=(
        LayerWords("reports", ("Phản ánh",), {"traffic": ("Giao thông",), "other": ("Khác",)}),
        LayerWords("power", ("Điện",), {"other": ("Khác",), "cut": ("Mất điện",)}),
    ),
    communes_of=communes_of,
    people={"An": {"mail", "http"}, "Bình": {"mail"}},
)


def read(
    tmp_path: Path, *lines: str, header: str = "who,from,to,communes,layers,categories,channel"
):
    path = tmp_path / "truc.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return [row.shift for row in read_roster(path, WORDS)]


def test_a_row_is_a_shift(tmp_path: Path):
    row = "An,01/12/2026 07:00,01/12/2026 24:00,huyện Cũ; Sao Mai,Phản ánh,giao thong,http"
    (shift,) = read(tmp_path, row)
    assert shift == Shift(
        "An", at(7), at(24), frozenset({"00001", "00004"}), frozenset({"reports"}),
        frozenset({"traffic"}), "http",
    )  # fmt: skip


def test_columns_may_be_vietnamese_and_left_out_and_empty_cells_are_all(tmp_path: Path):
    (shift,) = read(tmp_path, "Bình,01/12/2026,02/12/2026,Toàn tỉnh", header="Họ tên,Từ,Đến,Xã")
    assert shift == Shift("Bình", at(0), at(24))


FAULTS = {
    "nobody": (",2026-12-01,2026-12-02,,,,", "it names nobody"),
    "stranger": ("Chi,2026-12-01,2026-12-02,,,,", "Chi has no subscription .* An, Bình"),
    "channel": ("Bình,2026-12-01,2026-12-02,,,,http", "Bình has no channel http: mail"),
    "backwards": ("An,2026-12-01 19:00,2026-12-01 07:00,,,,", "a night shift ends on the next"),
    "empty": ("An,2026-12-01,2026-12-01,,,,", "before it begins"),
    "no time": ("An,tomorrow,2026-12-01,,,,", "“tomorrow” is no time"),
    "commune": ("An,2026-12-01,2026-12-02,Sa Pa,,,", "no commune Sa Pa"),
    "layer": ("An,2026-12-01,2026-12-02,,roads,,", "no layer with alerts is called roads"),
    "category": ("An,2026-12-01,2026-12-02,,power,Giao thông,", "no category Giao thông.* cut"),
    "twice": ("An,2026-12-01,2026-12-02,,,,\nAn,2026-12-01,2026-12-02,,,,", "same as line 3"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_named_by_its_line(tmp_path: Path, kind: str):
    row, words = FAULTS[kind]
    with pytest.raises(BadFile, match=rf"(?s)line \d: .*{words}") as caught:
        read(tmp_path, "An,2026-12-05,2026-12-06,,,,", row)
    assert "line 2" not in str(caught.value)


def test_all_faults_come_at_once(tmp_path: Path):
    with pytest.raises(BadFile) as caught:
        read(tmp_path, *(row for row, _ in FAULTS.values()))
    assert str(caught.value).count("\n") == len(FAULTS)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("who,from", "no column to"),
        ("who,from,to,telephone", "a column telephone"),
        ("who,ai,from,to", "are both who"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path: Path, header: str, words: str):
    with pytest.raises(BadFile, match=words):
        read(tmp_path, ",".join("x" for _ in header.split(",")), header=header)


def test_a_file_without_rows_replaces_nothing(tmp_path: Path):
    with pytest.raises(BadFile):
        read(tmp_path)
