"""Findings of situations: one signal for the whole layer, always urgent, with what is known."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from gis.alerts.findings import Evidence, Findings, Signal
from gis.alerts.gathering import SITUATION
from gis.alerts.policy import Tier
from gis.clock import HERE
from gis.text import number_en, number_vi
from layers.detect.findings_scan import ScanFindings
from layers.detect.messages import reports_en, subject_of
from layers.detect.situation import Share, Situation
from layers.detect.surroundings import PlaceFacts

type Words = tuple[str, str]  # in Vietnamese and English

_QUIET = timedelta(hours=12)  # without running away, until it is over
_NAMED = 3  # communes in the headline
_LISTED = 12  # in the detail


def situation_findings(
    scan_findings: ScanFindings,
    situation: Situation | None,
    known: PlaceFacts,
    run_id: int | None = None,
    evidence: Evidence | None = None,
) -> Findings:
    """The findings of a layer that has a situation, or none."""
    policy = replace(
        scan_findings.policy,
        hold=timedelta(0),
        same_gap=timedelta(0),
        close_days=None,
        quiet=_QUIET,
    )
    signals = () if situation is None else (_signal(scan_findings, situation, known),)
    return Findings(
        layer_id=scan_findings.layer.id,
        rule=SITUATION,
        until=scan_findings.until,
        official=scan_findings.official,
        simulated=bool(scan_findings.simulated),
        signals=signals,
        policy=policy,
        run_id=run_id,
        evidence=evidence,
    )


def _signal(scan_findings: ScanFindings, found: Situation, known: PlaceFacts) -> Signal:
    headline, detail = _headline(scan_findings, found), _detail(scan_findings, found, known)
    return Signal(
        tier=Tier.URGENT,
        observed=float(found.observed),
        since=scan_findings.until - timedelta(hours=found.hours),
        until=scan_findings.until,
        headline_vi=headline[0],
        headline_en=headline[1],
        detail_vi=detail[0],
        detail_en=detail[1],
        communes=tuple(sorted(one.name for one in found.communes)),
        expected=found.expected,
        llr=found.llr,
        p=found.p,
        recurrence_days=found.recurrence_days,
        records=found.records,
        measures={"method": SITUATION, "situation": _facts(scan_findings, found, known)},
        key=SITUATION,
        beyond=found.observed - found.expected,
        # A few simulated records do not make a real night an exercise.
        simulated=2 * found.simulated > len(found.records),
    )


def _facts(scan_findings: ScanFindings, found: Situation, known: PlaceFacts) -> Mapping[str, Any]:
    """For programs: communes and streams ranked by their excess, voices by hour, surroundings."""
    names = scan_findings.names
    voices = scan_findings.voices
    named = [voices[one] for one in found.records if one in voices]
    return {
        "hours": found.hours,
        "communes": [{**_share(one), "name": names.get(one.name, one.name)}
                     for one in found.communes],
        "streams": [_share(one) for one in found.streams],
        "timeline": list(found.timeline),
        "records": len(found.records),
        "simulated_records": found.simulated,
        "people_reporting": len(set(named)) if named else None,
        **asdict(known),
    }  # fmt: skip


def _share(one: Share) -> dict[str, Any]:
    return {"code": one.name, "observed": one.observed, "expected": round(one.expected, 2)}


def _headline(scan_findings: ScanFindings, found: Situation) -> Words:
    subjects = _subjects(scan_findings, found)
    names = [_name(scan_findings, one) for one in found.communes[:_NAMED]]
    more = len(found.communes) - len(names)
    vi = (
        f"Tình huống khẩn cấp – {subjects[0]}: {number_vi(found.observed)} báo cáo trong "
        f"{found.hours} giờ, bình thường {number_vi(found.expected, 1)}; {', '.join(names)}"
    )
    en = (
        f"Emergency situation – {subjects[1]}: {reports_en(found.observed)} in {found.hours} "
        f"hours, normally {number_en(found.expected, 1)}; {', '.join(names)}"
    )
    return (f"{vi} và {more} xã khác", f"{en} and {more} more") if more else (vi, en)


def _subjects(scan_findings: ScanFindings, found: Situation) -> Words:
    labels = [subject_of(scan_findings.layer, one.name) for one in found.streams]
    return ", ".join(one.vi for one in labels), ", ".join(one.en for one in labels)


def _detail(scan_findings: ScanFindings, found: Situation, known: PlaceFacts) -> Words:
    listed = found.communes[:_LISTED]
    more = len(found.communes) - len(listed)
    vi = "; ".join(
        f"{_name(scan_findings, one)} {number_vi(one.observed)} (bình thường "
        f"{number_vi(one.expected, 1)})"
        for one in listed
    ) + (f"; và {more} xã khác" if more else "")  # fmt: skip
    en = "; ".join(
        f"{_name(scan_findings, one)} {number_en(one.observed)} (normally "
        f"{number_en(one.expected, 1)})"
        for one in listed
    ) + (f"; and {more} more" if more else "")  # fmt: skip
    hours_vi, hours_en = _hours(found, scan_findings.until)
    facts_vi, facts_en = _known(known)
    records = len(found.records)
    people_vi, people_en = scan_findings.corroboration(found.records)
    said = (
        people_vi.strip() or f"{number_vi(records)} bản ghi, không rõ số người báo.",
        people_en.strip() or f"{number_en(records)} records; how many people is not known.",
    )
    marked = (
        f" Trong đó {number_vi(found.simulated)} bản ghi là mô phỏng.",
        f" Of these records {number_en(found.simulated)} are simulated.",
    )
    if found.simulated:
        said = (said[0] + marked[0], said[1] + marked[1])
    return (
        f"{vi}. {hours_vi} {said[0]} {facts_vi}",
        f"{en}. {hours_en} {said[1]} {facts_en}",
    )


def _hours(found: Situation, until: datetime) -> Words:
    """Counts by hour, from the first hour that has any."""
    counts = list(found.timeline)
    while len(counts) > 1 and counts[0] == 0:
        counts.pop(0)
    clock, each = f"{until.astimezone(HERE):%H:%M}", ", ".join(map(str, counts))
    return f"Từng giờ đến {clock}: {each}.", f"By the hour until {clock}: {each}."


def _known(known: PlaceFacts) -> Words:
    """What is known of the surroundings, and what is not loaded."""
    parts = (
        ("số dân", "population", known.people, "{} người sống trong các xã này",
         "{} people live in these communes"),
        ("cơ sở y tế", "health posts", known.health_posts, "{} trạm y tế", "{} health posts"),
        ("đường", "roads", known.roads, "đường qua nơi báo: {}", "roads beside reports: {}"),
    )  # fmt: skip
    there = [(_value(value, vi=True), _value(value, vi=False), vi, en)
             for _, _, value, vi, en in parts if value is not None]  # fmt: skip
    lacking = [(vi, en) for vi, en, value, *_ in parts if value is None]
    vi = "; ".join(words.format(value) for value, _, words, _ in there)
    en = "; ".join(words.format(value) for _, value, _, words in there)
    if lacking:
        vi = f"{vi}. " if vi else ""
        en = f"{en}. " if en else ""
        vi += f"Chưa nạp dữ liệu: {', '.join(one for one, _ in lacking)}"
        en += f"Not loaded: {', '.join(one for _, one in lacking)}"
    return f"{vi[:1].upper()}{vi[1:]}.", f"{en[:1].upper()}{en[1:]}."


def _value(value: int | tuple[str, ...], *, vi: bool) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or ("không có" if vi else "none")
    return number_vi(value) if vi else number_en(value)


def _name(scan_findings: ScanFindings, one: Share) -> str:
    return scan_findings.names.get(one.name, one.name)
