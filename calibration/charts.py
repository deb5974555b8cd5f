"""Plain line charts as SVG text; the page shows four, which is no reason for a plotting library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94")
LEFT, TOP, WIDTH, HEIGHT = 60, 30, 380, 260


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis: its name, its ticks from low to high (which are its ends), and their words."""

    name: str
    ticks: Sequence[float]
    words: Sequence[str] = ()

    def share(self, value: float) -> float:
        """Position of a value, 0 to 1; values beyond an end lie on it."""
        low, high = self.ticks[0], self.ticks[-1]
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def labels(self) -> list[tuple[float, str]]:
        words = self.words or [f"{tick:g}" for tick in self.ticks]
        return list(zip(self.ticks, words, strict=True))


def chart(title: str, x: Axis, y: Axis, lines: Mapping[str, Points], diagonal: str = "") -> str:
    """Named lines; with `diagonal`, a dashed line of that name from corner to corner."""
    height = TOP + HEIGHT + 50 + 16 * (len(lines) + bool(diagonal))
    parts = [_frame(title, x, y, height)]
    for i, (name, points) in enumerate(lines.items()):
        at = " ".join(f"{_across(x, a):.1f},{_down(y, b):.1f}" for a, b in points)
        colour = COLOURS[i % len(COLOURS)]
        parts.append(f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_named(i, name, f'stroke="{colour}" stroke-width="2"'))
    if diagonal:
        dashed = 'stroke="#888" stroke-dasharray="4 4"'
        corners = f'x1="{LEFT}" y1="{TOP + HEIGHT}" x2="{LEFT + WIDTH}" y2="{TOP}"'
        parts.append(f"<line {corners} {dashed}/>")
        parts.append(_named(len(lines), diagonal, dashed))
    size = f'viewBox="0 0 {LEFT + WIDTH + 20} {height}"'
    style = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    return "\n".join([head, *parts, "</svg>", ""])


def _named(row: int, name: str, stroke: str) -> str:
    """A line of the legend, beneath the chart: it hides no curve."""
    y = TOP + HEIGHT + 58 + 16 * row
    line = f'<line x1="{LEFT}" y1="{y - 4}" x2="{LEFT + 24}" y2="{y - 4}" {stroke}/>'
    return line + _text(LEFT + 32, y, name, "#222")


def _across(axis: Axis, value: float) -> float:
    return LEFT + WIDTH * axis.share(value)


def _down(axis: Axis, value: float) -> float:
    return TOP + HEIGHT * (1 - axis.share(value))


def _frame(title: str, x: Axis, y: Axis, height: int) -> str:
    parts = [
        f'<rect width="{LEFT + WIDTH + 20}" height="{height}" fill="#fff"/>',
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#444"/>',
        _text(LEFT, TOP - 10, title, "#222", weight="bold"),
        _text(LEFT + WIDTH / 2, TOP + HEIGHT + 38, x.name, "#222", anchor="middle"),
        f'<g transform="translate(16 {TOP + HEIGHT / 2}) rotate(-90)">'
        + _text(0, 0, y.name, "#222", anchor="middle")
        + "</g>",
    ]
    for value, word in x.labels():
        parts.append(_text(_across(x, value), TOP + HEIGHT + 18, word, "#444", anchor="middle"))
    for value, word in y.labels():
        parts.append(_text(LEFT - 6, _down(y, value) + 4, word, "#444", anchor="end"))
    return "\n".join(parts)


def _text(
    x: float, y: float, words: str, colour: str, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )
