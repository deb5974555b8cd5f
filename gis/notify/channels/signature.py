"""Signatures of webhooks by the convention Standard Webhooks, for which receivers have libraries.

Signed is `<webhook-id>.<webhook-timestamp>.<body>` by HMAC-SHA256 (RFC 2104), with the timestamp in
whole seconds since 1970. A secret is `whsec_` and base64 of its bytes.
Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import hashlib
import hmac
import secrets

ID_HEADER = "webhook-id"
TIME_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
_PREFIX = "whsec_"


def new_secret() -> str:
    """256 random bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(
    secret: str, message_id: str, timestamp: int, body: bytes
) -> list[tuple[str, str]]:
    """The headers by which a receiver knows sender, time and repeats of a message."""
    headers = [
        (ID_HEADER, message_id),
        (TIME_HEADER, str(timestamp)),
        (SIGNATURE_HEADER, sign(secret, message_id, timestamp, body)),
    ]
    if not secret.startswith(_PREFIX):
        headers += _former_headers(secret, message_id, timestamp, body)
    return headers


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the signature's header: `v1,` and 32 bytes in base64."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _former_headers(
    secret: str, message_id: str, timestamp: int, body: bytes
) -> list[tuple[str, str]]:
    # Whoever holds a secret without the prefix was given it with this scheme and verifies by it.
    signed = f"{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return [
        ("Idempotency-Key", message_id),
        ("X-GIS-Timestamp", str(timestamp)),
        ("X-GIS-Signature", f"v1={digest}"),
    ]
