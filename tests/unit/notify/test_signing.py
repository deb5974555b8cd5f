"""Signatures: as RFC 4231 has them, and worthless for another body, time or secret."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from gis.notify.channels.signature import new_secret, sign, verify

NOW = 1_772_326_800


def test_what_is_signed_is_the_time_a_dot_and_the_body():
    by_hand = hmac.new(b"word", b"1772326800.{}", hashlib.sha256).hexdigest()
    assert sign("word", NOW, b"{}") == f"v1={by_hand}"


def test_the_same_function_gives_the_published_digest():
    """RFC 4231, test case 2."""
    digest = hmac.new(b"Jefe", b"what do ya want for nothing?", hashlib.sha256).hexdigest()
    assert digest == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@given(body=st.binary(), late=st.integers(-300, 300))
def test_what_was_signed_is_accepted_within_five_minutes(body, late):
    secret = new_secret()
    verify(secret, str(NOW), body, sign(secret, NOW, body), NOW + late)


@pytest.mark.parametrize(
    ("timestamp", "body", "secret", "now"),
    [
        (str(NOW), b"other", "word", NOW),
        (str(NOW + 1), b"body", "word", NOW),
        (str(NOW), b"body", "another", NOW),
        (str(NOW), b"body", "word", NOW + 301),
        (str(NOW), b"body", "word", NOW - 301),
        ("-1", b"body", "word", NOW),
        ("", b"body", "word", NOW),
    ],
)
def test_anything_else_is_refused(timestamp, body, secret, now):
    with pytest.raises(BadInput):
        verify(secret, timestamp, body, sign("word", NOW, b"body"), now)


def test_a_signature_of_other_letters_is_refused_not_an_error():
    with pytest.raises(BadInput):
        verify("word", str(NOW), b"", "v1=đ", NOW)


def test_no_two_secrets_are_the_same():
    assert len({new_secret() for _ in range(100)}) == 100
