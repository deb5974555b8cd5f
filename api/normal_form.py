"""Normal form of requests: texts of the address in Unicode's form NFC, as all that is stored.

A Mac or a phone may send `ế` as a letter and two marks; it is the same name.
"""

import unicodedata
from urllib.parse import parse_qsl, unquote, urlencode

from starlette.types import Scope

from gis.text import composed


def composed_address(scope: Scope) -> Scope:
    """The scope of a request with its path and query in NFC; the same where they are already."""
    changes: Scope = {}
    if not unicodedata.is_normalized("NFC", scope["path"]):
        changes["path"] = composed(scope["path"])
    query = scope["query_string"].decode("latin-1")
    if "%" in query and not unicodedata.is_normalized("NFC", unquote(query)):
        pairs = parse_qsl(query, keep_blank_values=True)
        pairs = [(composed(name), composed(value)) for name, value in pairs]
        changes["query_string"] = urlencode(pairs).encode()
    return {**scope, **changes} if changes else scope
