"""Cached pages: found again, the least recently used evicted first, never too many."""

from hypothesis import given, settings
from hypothesis import strategies as st

from api.ogc.page_cache import LEAST_BYTES, PageCache


def page(size: int = LEAST_BYTES) -> bytes:
    return b"x" * size


def test_a_page_is_found_again_and_the_oldest_goes_first() -> None:
    kept = PageCache(4 * LEAST_BYTES)
    for etag in "abcd":
        kept.keep(etag, page())
    assert kept.get("a") is not None, "asked for just now, so the youngest"
    kept.keep("e", page())
    assert kept.get("b") is None and kept.get("a") is not None and kept.get("e") is not None


def test_small_pages_and_huge_ones_are_not_cached() -> None:
    kept = PageCache(8 * LEAST_BYTES)
    kept.keep("small", page(LEAST_BYTES - 1))
    kept.keep("huge", page(3 * LEAST_BYTES))
    assert kept.get("small") is None and kept.get("huge") is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 2)), max_size=30))
def test_together_they_are_never_more_than_allowed(asked: list[tuple[str, int]]) -> None:
    kept = PageCache(10 * LEAST_BYTES)
    for etag, size in asked:
        kept.keep(etag, page(size * LEAST_BYTES))
    assert sum(len(kept.get(etag) or b"") for etag in "abcdef") <= 10 * LEAST_BYTES
    if asked:
        assert len(kept.get(asked[-1][0]) or b"") == asked[-1][1] * LEAST_BYTES
