"""Cache-Control and Vary, put together from what a route says and who asks."""

import pytest

from api.caching import cache_control, vary


@pytest.mark.parametrize(
    ("said", "to_all", "to_a_key"),
    [
        ("", "public, no-cache", "private, no-cache"),
        ("no-cache", "public, no-cache", "private, no-cache"),
        ("no-store", "no-store", "private, no-store"),
        ("private, no-cache", "private, no-cache", "private, no-cache"),
        ("max-age=60", "public, max-age=60", "private, max-age=60"),
        ("Public, max-age=9, Immutable", "public, max-age=9, immutable",
         "private, max-age=9, immutable"),
        ("public, s-maxage=9, max-age=1", "public, s-maxage=9, max-age=1", "private, max-age=1"),
    ],
)  # fmt: skip
def test_what_a_route_says_is_cached_and_for_whom(said, to_all, to_a_key):
    assert cache_control(said.encode(), False, 0).decode() == to_all
    for kept_s in (0, 60):
        assert cache_control(said.encode(), True, kept_s).decode() == to_a_key


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no-cache", "public, max-age=0, s-maxage=60, must-revalidate"),
        ("no-store", "no-store"),
        ("private, no-cache", "private, no-cache"),
        ("max-age=9", "public, max-age=9"),
    ],
)
def test_shared_caches_keep_for_a_while_what_is_public_and_would_be_asked_for_again(said, kept):
    assert cache_control(said.encode(), False, 60).decode() == kept


def test_vary_names_each_header_once():
    assert vary(b"", False, False) == b"X-API-Key, Authorization"
    assert vary(b"Accept-Encoding, x-api-key", True, True) == (
        b"Accept-Encoding, X-API-Key, Authorization, Accept, Accept-Language, Origin"
    )
