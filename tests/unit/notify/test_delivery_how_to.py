"""The receiver that the documentation shows does what it says."""

import time

from gis.notify.channels.signature import new_secret, signed_headers
from tests.unit.notify.documented import accept

SECRET = new_secret()


def signed(body: bytes, age_s: int = 0) -> dict[str, str]:
    return dict(signed_headers(SECRET, "k", int(time.time()) - age_s, body))


def test_the_receiver_takes_what_we_signed_and_acts_once():
    done: set[str] = set()
    assert accept(SECRET, signed(b"{}"), b"{}", done)
    assert accept(SECRET, signed(b"{}"), b"{}", done)
    assert done == {"k"}


def test_the_receiver_refuses_another_body_another_secret_and_a_replay():
    done: set[str] = set()
    assert not accept(SECRET, signed(b"{}"), b"[]", done)
    assert not accept(new_secret(), signed(b"{}"), b"{}", done)
    assert not accept(SECRET, signed(b"{}", age_s=301), b"{}", done)
    assert not accept(SECRET, signed(b"{}", age_s=-302), b"{}", done)
    assert done == set()
