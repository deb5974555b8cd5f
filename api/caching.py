"""Who may keep an answer, and for whom: Cache-Control and Vary (RFC 9111, RFC 9110 12.5.5).

What was answered to a key is `private`. What was answered to nobody in particular is `public`: any
cache may keep it, and asks again before each use. Errors, and answers to writes, are kept by none.
"""

from functools import lru_cache

# Who sends one of these gets an answer of his own.
CREDENTIALS = (b"x-api-key", b"authorization")
_VARY = "X-API-Key, Authorization"


@lru_cache(maxsize=256)
def cache_control(given: bytes, keyed: bool, kept_s: int) -> bytes:
    """What a route says, or `no-cache`, with whom it is for.

    `kept_s`: seconds for which shared caches may hand out what is public without asking again.
    """
    said = [part.strip() for part in given.decode("latin-1").lower().split(",") if part.strip()]
    rest = [part for part in said or ["no-cache"] if part not in ("public", "private")]
    if keyed or "private" in said:
        for_one = ["private", *(part for part in rest if not part.startswith("s-maxage"))]
        return ", ".join(for_one).encode()
    if "no-store" in rest:
        return ", ".join(rest).encode()
    if kept_s and "no-cache" in rest:
        rest.remove("no-cache")
        rest += ["max-age=0", f"s-maxage={kept_s}", "must-revalidate"]
    return ", ".join(["public", *rest]).encode()


@lru_cache(maxsize=256)
def vary(given: bytes, negotiated: bool, by_origin: bool) -> bytes:
    """What a route says, with the key, and with what was read from the request elsewhere."""
    names = f"{given.decode('latin-1')}, {_VARY}"
    names += ", Accept, Accept-Language" if negotiated else ""
    names += ", Origin" if by_origin else ""
    known = {name.strip().lower(): name.strip() for name in names.split(",") if name.strip()}
    return ", ".join(known.values()).encode()
