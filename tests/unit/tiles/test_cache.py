"""The cache of tiles: bounded, each tile made once, errors not kept."""

import asyncio
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.access import ANONYMOUS
from tests.integration.ogc_layers import INCIDENTS
from tiles.cache import ENTRY_BYTES, DrawnTile, PackedTile, TileCache
from tiles.grid import Tile
from tiles.serving import _features_key
from tiles.state import LayerState

OLD = LayerState("wells", 1, "2026-01-01", "2026-01-01 08:00:00+00")
NEW = LayerState("wells", 2, "2026-01-01", "2026-01-01 09:00:00+00")


def made(content: bytes, state: LayerState = OLD) -> DrawnTile:
    return DrawnTile(state, PackedTile.of(content))


def never() -> DrawnTile:
    raise AssertionError("it is kept")


def test_what_is_cached_is_not_made_again():
    cache = TileCache()
    first = cache.get_or_draw("a", OLD, lambda: made(b"tile"))
    assert cache.get_or_draw("a", OLD, never) is first
    assert cache.entry("a") == DrawnTile(OLD, first)
    assert cache.entry("b") is None


def test_what_is_cached_of_another_state_is_made_anew_and_replaced():
    cache = TileCache()
    cache.get_or_draw("a", OLD, lambda: made(b"old"))
    assert cache.get_or_draw("a", NEW, lambda: made(b"new", NEW)).content == b"new"
    assert cache.get_or_draw("a", NEW, never).content == b"new"
    assert cache.held_bytes == ENTRY_BYTES + 3


def test_what_is_confirmed_is_true_of_the_new_state():
    cache = TileCache()
    cache.get_or_draw("a", OLD, lambda: made(b"tile"))
    entry = cache.entry("a")
    assert entry is not None
    cache.confirm("a", entry, NEW)
    assert cache.get_or_draw("a", NEW, never).content == b"tile"


def test_a_tile_replaced_meanwhile_is_not_confirmed():
    cache = TileCache()
    cache.get_or_draw("a", OLD, lambda: made(b"tile"))
    entry = cache.entry("a")
    assert entry is not None
    cache.get_or_draw("a", NEW, lambda: made(b"new", NEW))
    cache.confirm("a", entry, OLD)
    assert cache.get_or_draw("a", NEW, never).content == b"new"


def test_many_who_ask_at_once_make_one_tile():
    cache, calls, asked, slow = TileCache(), [], threading.Barrier(8), threading.Event()

    def maker() -> DrawnTile:
        calls.append(1)
        slow.wait(2)
        return made(b"tile")

    def ask(_: int) -> bytes:
        asked.wait()
        return cache.get_or_draw("a", OLD, maker).content

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, n) for n in range(8)]
        threading.Timer(0.05, slow.set).start()
        assert {answer.result() for answer in answers} == {b"tile"}
    assert calls == [1]


def test_an_error_reaches_who_asked_and_is_not_cached():
    cache = TileCache()

    def fail() -> DrawnTile:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get_or_draw("a", OLD, fail)
    assert cache.get_or_draw("a", OLD, lambda: made(b"now")).content == b"now"


def test_what_is_new_is_claimed_once_and_cached_for_all_who_wait():
    cache = TileCache()
    claim = cache.claim("a")
    assert claim is not None and cache.claim("a") is None and not cache.is_new("a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get_or_draw, "a", OLD, never)
        with claim:
            kept = claim.store(made(b"tile"))
        assert waiting.result(5) is kept
    assert cache.claim("a") is None, "it is kept"


def test_an_error_of_who_claimed_reaches_who_waits():
    cache = TileCache()
    claim = cache.claim("a")
    assert claim is not None
    with pytest.raises(ValueError, match="no") as raised, claim:
        raise ValueError("no")
    assert claim.future.exception(0) is raised.value
    assert cache.is_new("a")


def test_where_who_claimed_was_called_off_another_makes_it():
    cache = TileCache()
    claim = cache.claim("a")
    assert claim is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get_or_draw, "a", OLD, lambda: made(b"mine"))
        with pytest.raises(asyncio.CancelledError), claim:
            raise asyncio.CancelledError
        assert waiting.result(5).content == b"mine"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=60))
def test_never_more_bytes_than_the_bound_are_held(asked):
    cache = TileCache(most_bytes=5000)
    for key, size in asked:
        cache.get_or_draw(str(key), OLD, lambda size=size: made(bytes(size)))
        assert ENTRY_BYTES <= cache.held_bytes <= 5000


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4000), st.booleans()), max_size=60))
def test_what_is_asked_for_unpacked_is_that_and_counts_against_the_bound(asked):
    cache = TileCache(most_bytes=6000)
    for number, size, unpacked in asked:
        content = bytes([number]) * size
        packed = cache.get_or_draw((number, size), OLD, lambda content=content: made(content))
        if unpacked:
            assert cache.content(packed) == content
        assert cache.held_bytes <= 6000
        assert cache.entry((number, size)) is not None or size > 3000


def test_what_was_asked_for_unpacked_is_not_unpacked_again():
    cache, content = TileCache(), b"tile" * 1000
    packed = cache.get_or_draw("a", OLD, lambda: made(content))
    assert cache.content(packed) is cache.content(PackedTile.of(content)) == content
    small = PackedTile.of(b"tile")
    assert cache.content(small) is small.body and cache.held_bytes == (
        ENTRY_BYTES + len(packed.body) + 4000
    )


@given(st.binary(max_size=5000))
def test_packing_loses_nothing(content):
    packed = PackedTile.of(content)
    assert packed.content == content
    assert packed.gzipped == (len(content) >= 512)
    assert PackedTile.of(content) == packed


def test_empty_tiles_of_long_filters_are_bounded_too():
    """A client asks for nothing in ever more places, each time in other words."""
    cache = TileCache(most_bytes=500_000)
    tracemalloc.start()
    try:
        for number in range(2_000):
            asked = {"filter": f"note = '{'đường ' * 1_000}{number}'"}
            key = _features_key(INCIDENTS, Tile(14, number, 1), ANONYMOUS, asked)
            state = LayerState("wells", number, "2026-01-01", f"2026-01-01 {number}")
            cache.get_or_draw(key, state, lambda state=state: made(b"", state))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1_000_000
    assert cache.entry(key) is not None
