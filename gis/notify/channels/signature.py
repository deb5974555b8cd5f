"""Signatures of webhooks: HMAC-SHA256 (RFC 2104) over the time and the body.

The signed text is `<timestamp>.<body>`, the timestamp in whole seconds since 1970.
"""

import hashlib
import hmac
import secrets

from gis.errors import BadInput

KEY_HEADER = "Idempotency-Key"
TIME_HEADER = "X-GIS-Timestamp"
SIGNATURE_HEADER = "X-GIS-Signature"
REPLAY_WINDOW_S = 300
_VERSION = "v1="


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The value of the signature's header: `v1=` and 64 hexadecimal digits."""
    signed = str(timestamp).encode() + b"." + body
    return _VERSION + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def verify(secret: str, timestamp: str, body: bytes, signature: str, now: float) -> None:
    """What a receiver does. Raises BadInput for what was not signed so, or is too old or new."""
    if not timestamp.isdecimal():
        raise BadInput(f"{TIME_HEADER} is not a number of seconds")
    if abs(now - int(timestamp)) > REPLAY_WINDOW_S:
        raise BadInput(f"{TIME_HEADER} is more than {REPLAY_WINDOW_S} s away: perhaps a replay")
    if not hmac.compare_digest(sign(secret, int(timestamp), body).encode(), signature.encode()):
        raise BadInput(f"{SIGNATURE_HEADER} does not fit the body and this secret")
