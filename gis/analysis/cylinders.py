"""Likelihood ratios of cylinders, compiled: of each centre, and the highest of many replicates.

Both take circles as `start`, `near` and `closes` of `Circles`; what is `expected`, (places, days),
in the last 1…D days; `limited`, of which a circle holds at most `limit`; the `least` cases that a
cylinder has; and the `total` of all cases, 0 for expectation-based ratios.
"""

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int32]
Lanes = npt.NDArray[np.signedinteger]
Words = npt.NDArray[np.uint64]

BLOCK = 4  # words that are added at once
TABLE = 2**16  # counts whose reach is remembered
RENEWED = 4  # rings after which the counts that would be new bests are looked up again


@numba.njit(cache=True)
def _llr(c: float, mu: float, total: float) -> float:
    """0 unless c > mu; `total` 0 means expectation-based."""
    if c <= mu:
        return 0.0
    if mu <= 0.0:
        return np.inf
    inside: float = c * np.log(c / mu)
    if total == 0.0:
        return float(inside + mu - c)
    if c >= total:
        return inside
    return float(inside + (total - c) * np.log((total - c) / (total - mu)))


@numba.njit(cache=True, nogil=True)  # requests and alarms go on meanwhile
def llr_by_centre(
    start: Counts,
    near: Counts,
    closes: Flags,
    expected: Floats,
    limited: Floats,
    limit: float,
    least: int,
    total: int,
    counts: Counts,
) -> tuple[Floats, Counts, Counts]:
    """The highest LLR of each centre, where its circle ends within `near`, and its days.

    Only a circle that grew by a case can be the best; of many days at once, a bound without
    logarithms or roots tells which may be.
    """
    centres, days = len(start) - 1, expected.shape[1]
    llr = np.zeros(centres)
    ends = np.zeros(centres, np.int64)
    best_days = np.zeros(centres, np.int64)
    c = np.empty(days)
    mu = np.empty(days)
    for centre in range(centres):
        c[:] = 0.0
        mu[:] = 0.0
        held = 0.0
        grown = False
        for at in range(start[centre], start[centre + 1]):
            place = near[at]
            held += limited[place]
            if held > limit * (1 + 1e-12):
                break
            for day in range(days):
                mu[day] += expected[place, day]
            if counts[place, days - 1] > 0:
                grown = True
                for day in range(days):
                    c[day] += counts[place, day]
            if not (grown and closes[at]):
                continue
            grown = False
            if not _promising(c, mu, least, total, llr[centre]):
                continue
            for day in range(days):
                value = _llr(c[day], mu[day], total) if c[day] >= least else 0.0
                if value > llr[centre] * (1 + 1e-12):
                    llr[centre], ends[centre], best_days[centre] = value, at, day + 1
    return llr, ends, best_days


@numba.njit(cache=True)
def _promising(c: Floats, mu: Floats, least: int, total: int, best: float) -> bool:
    """True if the LLR of any day may exceed `best`.

    ln r ≤ (r − 1)/√r and √r ≤ (r + 1)/2 for r = c/μ ≥ 1, and the second term of the LLR is at most
    −(c−μ) + (c−μ)²/(C−μ); so LLR ≤ (c−μ)²·(C + μ)/(2μ(C − μ)).
    """
    share = 1.0 / total if total > 0 else 0.0
    found = False
    for day in range(len(c)):
        excess = c[day] - mu[day]
        held = mu[day] * share
        most = excess * excess * (1.0 + held)
        reaches = most >= 2.0 * best * mu[day] * (1.0 - held)
        found |= reaches & (excess > 0.0) & (c[day] >= least)
    return found


def highest_llr(
    start: Counts,
    near: Counts,
    closes: Flags,
    expected: Floats,
    limited: Floats,
    limit: float,
    least: int,
    total: int,
    counts: Small,
) -> Floats:
    """The highest LLR of each replicate; `counts` of shape (replicates, places, days), cumulative.

    All replicates grow one circle together, and only by places where they have cases. The counts of
    four days share a word of 64 bits (two days, where there are many cases): one addition serves
    all, and after one subtraction the top bits tell whether any is what a new best needs.
    """
    replicates, _, days = counts.shape
    most = int(counts[:, :, -1].sum(axis=1, dtype=np.int64).max(initial=0))
    few = most < 2**15 - 1
    lane, top = (np.int16, 0x8000_8000_8000_8000) if few else (np.int32, 0x8000_0000_8000_0000)
    step = BLOCK * 8 // np.dtype(lane).itemsize
    lanes = np.zeros((replicates + 1, -(-days // step) * step), lane)
    first, replicate, rows = _packed(counts, lanes)
    highest: Floats = _highest(
        start, near, closes, expected, limited, limit, least, total, first, replicate,
        rows.view(np.uint64), lanes, lanes.view(np.uint64), np.uint64(top), most,
    )  # fmt: skip
    return highest


@numba.njit(cache=True, nogil=True)
def _packed(counts: Small, lanes: Lanes) -> tuple[Counts, Small, Lanes]:
    """The rows of `counts` that are not all zero, by place: `rows[first[place]:first[place + 1]]`.

    With the replicate of each row; as wide as `lanes`, and of its type.
    """
    replicates, places, days = counts.shape
    first = np.zeros(places + 1, np.int64)
    for drawn in range(replicates):
        for place in range(places):
            first[place + 1] += counts[drawn, place, days - 1] > 0
    first = np.cumsum(first)
    replicate = np.empty(first[-1], np.int32)
    rows = np.zeros((first[-1], lanes.shape[1]), lanes.dtype)
    free = first[:-1].copy()
    for drawn in range(replicates):
        for place in range(places):
            if counts[drawn, place, days - 1] > 0:
                replicate[free[place]] = drawn
                rows[free[place], :days] = counts[drawn, place]
                free[place] += 1
    return first, replicate, rows


@numba.njit(cache=True, nogil=True)  # requests and alarms go on meanwhile
def _highest(
    start: Counts,
    near: Counts,
    closes: Flags,
    expected: Floats,
    limited: Floats,
    limit: float,
    least: int,
    total: int,
    first: Counts,
    replicate: Small,
    rows: Words,
    lanes: Lanes,
    words: Words,
    top: np.uint64,
    most: int,
) -> Floats:
    """`words` are `lanes`: the circle's count of each replicate, and, last, what a best needs.

    That is looked up in some rings only: a smaller circle needs less. Where a replicate has it,
    be it within a ring, logarithms decide; the last place with cases brings the ring's count.
    """
    days = expected.shape[1]
    best = np.zeros(len(lanes) - 1)
    floor = 0.0
    reach = np.full(min(most + 1, TABLE), -1.0)
    needed = lanes[-1]
    mu = np.empty(days)
    until = np.empty(days)
    for centre in range(len(start) - 1):
        lanes[:-1] = 0
        needed[:] = most + 1
        needed[:days] = min(least, most + 1)
        mu[:] = 0.0
        until[:] = 0.0
        held = 0.0
        opens = start[centre]
        rings = 0
        improved = False
        for at in range(start[centre], start[centre + 1]):
            held += limited[near[at]]
            if held > limit * (1 + 1e-12):
                break
            for day in range(days):
                mu[day] += expected[near[at], day]
            if not closes[at]:
                continue
            if rings % RENEWED == 0:
                _raise(needed, mu, until, floor, total, most, reach)
            rings += 1
            for grown in range(opens, at + 1):
                for row in range(first[near[grown]], first[near[grown] + 1]):
                    drawn = replicate[row]
                    if _added(words, drawn, rows, row, top):
                        improved |= _improve(best, drawn, lanes, mu, total)
            opens = at + 1
        if improved and best.min() > floor * 1.02:
            floor = best.min()
            reach[:] = -1.0
    return best


@numba.njit(cache=True)
def _raise(
    needed: Lanes, mu: Floats, until: Floats, floor: float, total: int, most: int, reach: Floats
) -> None:
    """The least counts that reach the floor at `mu`; they do `until` it has grown so far.

    Beyond the table of `reach`, the least that may; there the two hardly differ.
    """
    for day in range(len(mu)):
        if mu[day] > until[day]:
            count = max(needed[day], _least_promising(mu[day], floor, total, most))
            count = min(_least_count(count, mu[day], floor, total, reach), most + 1)
            needed[day] = count
            if count > most:  # no circle has so many
                until[day] = np.inf
            else:
                until[day] = reach[count] if count < len(reach) else mu[day]


@numba.njit(cache=True)
def _least_promising(mu: float, floor: float, total: int, most: int) -> int:
    """No count below it reaches the floor, by the bound of `_promising`; at most `most` + 1."""
    held = min(mu / total, 1.0) if total > 0 else 0.0
    bound = mu + np.sqrt(2.0 * floor * mu * (1.0 - held) / (1.0 + held))
    return int(bound * (1 - 1e-9)) if bound <= most else most + 1


@numba.njit(cache=True)
def _added(words: Words, drawn: int, rows: Words, row: int, top: np.uint64) -> bool:
    """Adds a row to a replicate's counts; whether any is then as high as the last of `words`.

    No count needs its top bit. With it set, a difference keeps it if and only if it is 0 or more.
    """
    beyond = np.uint64(0)
    for block in range(0, words.shape[1], BLOCK):
        for word in range(block, block + BLOCK):
            sums = words[drawn, word] + rows[row, word]
            words[drawn, word] = sums
            beyond |= (sums | top) - words[-1, word]
    return bool(beyond & top)


@numba.njit(cache=True)
def _improve(best: Floats, drawn: int, lanes: Lanes, mu: Floats, total: int) -> bool:
    improved = False
    for day in range(len(mu)):
        if lanes[drawn, day] >= lanes[-1, day]:
            value = _llr(lanes[drawn, day], mu[day], total)
            if value > best[drawn]:
                best[drawn] = value
                improved = True
    return improved


@numba.njit(cache=True)
def _least_count(count: int, mu: float, floor: float, total: int, reach: Floats) -> int:
    """The least count, from `count` up, whose LLR reaches `floor` at `mu`, or the table's end.

    `reach[count]` keeps the greatest μ at which it does, −1 until asked for.
    """
    while count < len(reach):
        if reach[count] < 0:
            reach[count] = _greatest_mu(count, floor, total)
        if mu <= reach[count]:
            break
        count += 1
    return count


@numba.njit(cache=True)
def _greatest_mu(count: int, floor: float, total: int) -> float:
    """By bisection, from above: a count that just reaches the floor is never missed."""
    low, high = 0.0, float(count)
    for _ in range(40):
        middle = (low + high) / 2
        if _llr(count, middle, total) >= floor:
            low = middle
        else:
            high = middle
    return high
