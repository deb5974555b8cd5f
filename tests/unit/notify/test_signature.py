"""Signatures: as Standard Webhooks has them, and worthless for another message or secret."""

import base64
import hashlib
import hmac
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.notify.channels.signature import new_secret, sign, signed_headers
from tests.unit.notify.documented import is_ours

NOW = 1_772_326_800
FORMER = {"Idempotency-Key", "X-GIS-Timestamp", "X-GIS-Signature"}


def test_the_signature_is_that_of_the_published_example():
    """The test vector that the libraries of Standard Webhooks share."""
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = sign(secret, message, 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_same_function_gives_the_published_digest():
    """RFC 4231, test case 2."""
    digest = hmac.new(b"Jefe", b"what do ya want for nothing?", hashlib.sha256).hexdigest()
    assert digest == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@given(body=st.binary(), late=st.integers(-299, 299))
def test_what_was_signed_is_accepted_within_five_minutes(body, late):
    secret = new_secret()
    assert is_ours(secret, dict(signed_headers(secret, "k", int(time.time()) - late, body)), body)


@pytest.mark.parametrize(
    ("secret", "message_id", "timestamp", "body"),
    [
        ("whsec_YQ==", "k", NOW, b"other"),
        ("whsec_YQ==", "k", NOW + 1, b"body"),
        ("whsec_YQ==", "k2", NOW, b"body"),
        ("whsec_Yg==", "k", NOW, b"body"),
    ],
)
def test_another_message_time_body_or_secret_has_another_signature(
    secret, message_id, timestamp, body
):
    assert sign(secret, message_id, timestamp, body) != sign("whsec_YQ==", "k", NOW, b"body")


def test_a_receiver_refuses_a_signature_of_other_letters():
    secret = new_secret()
    headers = dict(signed_headers(secret, "k", int(time.time()), b""))
    assert not is_ours(secret, headers | {"webhook-signature": "v1,đ"}, b"")


def test_a_secret_from_before_the_convention_still_signs_for_its_receiver():
    """The former scheme: hexadecimal HMAC of the time, a dot and the body, by the secret's text."""
    headers = dict(signed_headers("word", "k", NOW, b"{}"))
    by_hand = hmac.new(b"word", b"1772326800.{}", hashlib.sha256).hexdigest()
    assert headers["X-GIS-Signature"] == f"v1={by_hand}"
    assert (headers["X-GIS-Timestamp"], headers["Idempotency-Key"]) == (str(NOW), "k")
    assert not FORMER & dict(signed_headers(new_secret(), "k", NOW, b"{}")).keys()


def test_a_secret_from_before_the_convention_verifies_with_its_libraries_too():
    as_text = "whsec_" + base64.b64encode(b"word").decode()
    now = int(time.time())
    assert is_ours(as_text, dict(signed_headers("word", "k", now, b"{}")), b"{}")


def test_no_two_secrets_are_the_same_and_each_has_256_bits():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in made} == {32}
