"""Texts of threshold alerts for duty officers, in Vietnamese and English, made from the numbers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gis.clock import HERE
from gis.text import number_en, number_vi
from layers.definition.model import (
    CountRule,
    IndicatorRule,
    Layer,
    LevelRule,
    QuietRule,
    RainRule,
    RowRule,
)


def headline(
    layer: Layer, rule: RowRule, label: str, value: float, row: Mapping[str, Any]
) -> tuple[str, str]:
    """`<title>: <thing> <value>, <threshold>`; `row` is the finding that it is of."""
    measured = _level(layer, rule, value, row) if isinstance(rule, LevelRule) else None
    vi, en = measured or _measured(layer, rule, value)
    return (
        ": ".join(filter(None, (rule.title.vi, f"{label} {vi}".strip()))),
        ": ".join(filter(None, (rule.title.en, f"{label} {en}".strip()))),
    )


def detail(since: datetime, until: datetime) -> tuple[str, str]:
    """The time of the evidence, as clocks in Vietnam show it."""
    first, last = (moment.astimezone(HERE).strftime("%H:%M %d/%m/%Y") for moment in (since, until))
    return f"Dữ liệu từ {first} đến {last}.", f"Records from {first} to {last}."


def _vi(value: float) -> str:
    return number_vi(value, 2, trim=True)


def _en(value: float) -> str:
    return number_en(value, 2, trim=True)


def _measured(layer: Layer, rule: RowRule, value: float) -> tuple[str, str]:
    vi, en = _vi, _en
    match rule:
        case RainRule():
            return (
                f"{vi(value)} mm mưa trong {vi(rule.hours)} giờ, ngưỡng {vi(rule.above)} mm",
                f"{en(value)} mm of rain in {en(rule.hours)} hours, threshold {en(rule.above)} mm",
            )
        case CountRule() if rule.voices:
            return (
                f"{vi(value)} người báo trong {vi(rule.hours)} giờ, ngưỡng {vi(rule.at_least)}",
                f"{en(value)} reporters in {en(rule.hours)} hours, threshold {en(rule.at_least)}",
            )
        case CountRule():
            return (
                f"{vi(value)} bản ghi trong {vi(rule.hours)} giờ, ngưỡng {vi(rule.at_least)}",
                f"{en(value)} records in {en(rule.hours)} hours, threshold {en(rule.at_least)}",
            )
        case QuietRule():
            return (
                f"không có dữ liệu mới trong {vi(value)} giờ, cho phép {vi(rule.hours)} giờ",
                f"nothing new for {en(value)} hours, {en(rule.hours)} allowed",
            )
    unit = layer.fields[rule.field].unit or ""
    limits = _limits(rule)
    shown = [f"{number(value)} {unit}".strip() for number in (vi, en)]
    bounds = [f"{number(limits[2])} {unit}".strip() for number in (vi, en)]
    return f"{shown[0]}, {limits[0]} {bounds[0]}", f"{shown[1]}, {limits[1]} {bounds[1]}"


def _level(layer: Layer, rule: LevelRule, value: float, row: Mapping[str, Any]) -> tuple[str, str]:
    assert layer.series is not None
    unit = layer.fields[rule.field].unit or ""
    reached = layer.series.quantities[rule.field].thresholds[row["level"] - 1].title
    shown = [
        tuple(f"{number(each)} {unit}".strip() for each in (value, row["threshold"]))
        for number in (_vi, _en)
    ]
    return (
        f"{shown[0][0]}, {reached.vi} ({shown[0][1]})",
        f"{shown[1][0]}, {reached.en} ({shown[1][1]})",
    )


def _limits(rule: RowRule) -> tuple[str, str, float]:
    """The words for the limit, and the limit."""
    if isinstance(rule, IndicatorRule):
        if rule.at_least is not None:
            return "mục tiêu ít nhất", "target at least", rule.at_least
        return "mục tiêu nhiều nhất", "target at most", rule.at_most or 0.0
    above, below = getattr(rule, "above", None), getattr(rule, "below", None)
    if above is not None:
        return "trên ngưỡng", "above", above
    return "dưới ngưỡng", "below", below or 0.0
