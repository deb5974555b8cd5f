"""The cache of tiles: bounded, each tile made once, errors not kept."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiles.cache import Made, Packed, TileCache


def made(key: str, content: bytes) -> Made:
    return Made(key, Packed.of(content))


def test_what_is_kept_is_not_made_again():
    cache, calls = TileCache(), []

    def make() -> Made:
        calls.append(1)
        return made("a", b"tile")

    assert cache.get("a", make) == cache.get("a", make)
    assert calls == [1]


def test_many_who_ask_at_once_make_one_tile():
    cache, calls, asked = TileCache(), [], threading.Barrier(8)

    def make() -> Made:
        calls.append(1)
        slow.wait(2)
        return made("a", b"tile")

    slow = threading.Event()

    def ask(_: int) -> bytes:
        asked.wait()
        return cache.get("a", make).content

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, n) for n in range(8)]
        threading.Timer(0.05, slow.set).start()
        assert {answer.result() for answer in answers} == {b"tile"}
    assert calls == [1]


def test_an_error_reaches_who_asked_and_is_not_kept():
    cache = TileCache()

    def fail() -> Made:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("a", fail)
    assert cache.get("a", lambda: made("a", b"now")).content == b"now"


def test_a_tile_made_of_a_newer_state_is_kept_under_that_state():
    cache = TileCache()
    assert cache.get("v1", lambda: made("v2", b"newer")).content == b"newer"
    assert cache.get("v2", lambda: pytest.fail("it is kept")).content == b"newer"
    assert cache.get("v1", lambda: made("v1", b"older")).content == b"older"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=60))
def test_never_more_bytes_than_the_bound_are_held(asked):
    cache = TileCache(most_bytes=1000)
    for key, size in asked:
        cache.get(key, lambda key=key, size=size: made(str(key), bytes(size)))
        assert cache.held_bytes <= 1000


@given(st.binary(max_size=5000))
def test_packing_loses_nothing(content):
    packed = Packed.of(content)
    assert packed.content == content
    assert packed.gzipped == (len(content) >= 512)
    assert Packed.of(content) == packed
