"""Plots as SVG: a timeline of alerts, and a QQ plot of p-values against uniform ones."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from html import escape

from gis.alerts.calibration import Tally
from gis.alerts.engine import local_day
from gis.alerts.policy import Tier
from gis.alerts.replay import ReplayedAlert

_WIDTH, _LEFT, _TOP, _ROW = 1000, 420, 46, 22
_LONGEST_LABEL = 58
COLOURS = {Tier.WATCH: "#0072b2", Tier.ALERT: "#e69f00", Tier.URGENT: "#d55e00"}


def timeline(pasts: Sequence[ReplayedAlert], since: datetime, until: datetime, title: str) -> str:
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


def _line(n: int, past: ReplayedAlert, since: datetime, until: datetime) -> Iterator[str]:
    signal, notified = past.alert.signal, past.alert.last_notification
    tier = notified.tier if notified else signal.tier
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
    words = {Tier.WATCH: "Theo dõi", Tier.ALERT: "Cảnh báo", Tier.URGENT: "Khẩn cấp"}
    for n, (tier, word) in enumerate(words.items()):
        x = _LEFT + 110 * n
        yield (
            f'<rect x="{x}" y="{height - 20}" width="12" height="12" fill="{COLOURS[tier]}"/>'
            f'<text x="{x + 18}" y="{height - 10}">{word}</text>'
        )


_SIDE, _EDGE = 360, 48


def qq_plot(p_values: Sequence[float], title: str, worth: float | None = None) -> str:
    """An SVG document: p-values in order against those of chance, with the band that holds 95 % of
    each by chance (order statistics of uniform values are Beta(k, n − k + 1)).

    `worth`: their effective number, where they depend on each other; the band is that of so many
    independent values, at the same shares.
    """
    n, size = len(p_values), _SIDE + 2 * _EDGE
    worth = n if worth is None else worth
    ranks = range(1, n + 1)
    dots = [
        f'<circle cx="{_qx(k / (n + 1))}" cy="{_qy(p)}" r="2.5" fill="#0072b2"/>'
        for k, p in zip(ranks, sorted(p_values), strict=True)
    ]
    shares = [k / (n + 1) for k in ranks]
    low = [(x, _uniform(x, worth, 0.025)) for x in shares]
    high = [(x, _uniform(x, worth, 0.975)) for x in shares]
    band = " ".join(f"{_qx(x)},{_qy(y)}" for x, y in [*low, *high[::-1]])
    middle, bottom = size / 2, size - 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{size}" height="{size}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
        f'<polygon points="{band}" fill="#e6e6e6"/>',
        f'<path d="M{_qx(0)} {_qy(0)}L{_qx(1)} {_qy(1)}" stroke="#555555"/>',
        f'<path d="M{_qx(0)} {_qy(1)}V{_qy(0)}H{_qx(1)}" stroke="#000000" fill="none"/>',
        *dots,
        f'<text x="{middle}" y="{bottom}" text-anchor="middle">p kỳ vọng / expected</text>',
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        "p quan sát / observed</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def month_plot(tally: Tally, title: str, month: date) -> str:
    """The QQ plot of all p-values of a month, which has that first day."""
    return qq_plot(tally.p_values, f"{title} {month:%m/%Y}: p", tally.worth)


def _uniform(share: float, n: float, probability: float) -> float:
    """A quantile of the order statistic of n uniform values whose mean is `share`."""
    from scipy.special import betaincinv

    return float(betaincinv((n + 1) * share, (n + 1) * (1 - share), probability))


def _qx(share: float) -> float:
    return round(_EDGE + _SIDE * share, 1)


def _qy(share: float) -> float:
    return round(_EDGE + _SIDE * (1 - share), 1)
