"""The receiver that the documentation shows does what it says."""

import re
import time
from pathlib import Path

from gis.notify.channels.signature import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, sign

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "delivery.md"


def accept():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(code, names)
    return names["accept"]


def signed(body: bytes, age_s: int = 0) -> dict[str, str]:
    timestamp = int(time.time()) - age_s
    return {
        KEY_HEADER: "k",
        TIME_HEADER: str(timestamp),
        SIGNATURE_HEADER: sign("word", timestamp, body),
    }


def test_the_receiver_takes_what_we_signed_and_acts_once():
    done: set[str] = set()
    assert accept()("word", signed(b"{}"), b"{}", done)
    assert accept()("word", signed(b"{}"), b"{}", done)
    assert done == {"k"}


def test_the_receiver_refuses_another_body_another_secret_and_a_replay():
    done: set[str] = set()
    assert not accept()("word", signed(b"{}"), b"[]", done)
    assert not accept()("other", signed(b"{}"), b"{}", done)
    assert not accept()("word", signed(b"{}", age_s=301), b"{}", done)
    assert done == set()
