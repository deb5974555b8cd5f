"""A picture of alerts in time: a line each, from its opening to its end. SVG, for any browser."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from gis.alerts.deciding import local_day
from gis.alerts.policy import Tier
from gis.alerts.replay import Past

_WIDTH, _LEFT, _TOP, _ROW = 1000, 420, 46, 22
_LONGEST_LABEL = 58
COLOURS = {Tier.WATCH: "#0072b2", Tier.ALERT: "#e69f00", Tier.URGENT: "#d55e00"}


def timeline(pasts: Sequence[Past], since: datetime, until: datetime, title: str) -> str:
    """An SVG document; alerts in the order given, those still alive to the right edge."""
    height = _TOP + _ROW * max(len(pasts), 1) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="15">{escape(title)}</text>',
        *_weeks(since, until, height),
        *(line for n, past in enumerate(pasts) for line in _line(n, past, since, until)),
        *_legend(height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(moment: datetime, since: datetime, until: datetime) -> float:
    share = (moment - since) / (until - since) if until > since else 1.0
    return round(_LEFT + (_WIDTH - _LEFT - 12) * min(max(share, 0.0), 1.0), 1)


def _weeks(since: datetime, until: datetime, height: int) -> Iterator[str]:
    moment = since
    while moment <= until:
        x = _x(moment, since, until)
        yield f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 26}" stroke="#dddddd"/>'
        yield f'<text x="{x}" y="{_TOP - 12}" fill="#555555">{local_day(moment):%d/%m}</text>'
        moment += max(timedelta(days=7), (until - since) / 8)


def _line(n: int, past: Past, since: datetime, until: datetime) -> Iterator[str]:
    signal, told = past.alert.signal, past.alert.told
    tier = told.tier if told else signal.tier
    y = _TOP + _ROW * n
    start = _x(past.opened_at, since, until)
    width = max(_x(past.ended_at or until, since, until) - start, 4)
    label = escape(_short(signal.headline_vi))
    yield f'<text x="8" y="{y + 14}">{label}</text>'
    yield (
        f'<rect x="{start}" y="{y + 4}" width="{width:.1f}" height="13" rx="3" '
        f'fill="{COLOURS[tier]}"><title>{escape(signal.headline_vi)}</title></rect>'
    )


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _legend(height: int) -> Iterator[str]:
    words = {Tier.WATCH: "Theo dõi", Tier.ALERT: "Cảnh báo", Tier.URGENT: "Khẩn"}
    for n, (tier, word) in enumerate(words.items()):
        x = _LEFT + 110 * n
        yield (
            f'<rect x="{x}" y="{height - 20}" width="12" height="12" fill="{COLOURS[tier]}"/>'
            f'<text x="{x + 18}" y="{height - 10}">{word}</text>'
        )
