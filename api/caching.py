"""Caching of answers: Cache-Control and Vary (RFC 9111, RFC 9110 12.5.5).

What was answered to a key is `private`. What was answered to nobody in particular is `public`: any
cache may keep it, and asks again before each use. Errors, and answers to writes, are kept by none.
"""

from functools import lru_cache

# Who sends one of these gets an answer of his own.
CREDENTIALS = (b"x-api-key", b"authorization")
_VARY = "X-API-Key, Authorization"


@lru_cache(maxsize=256)
def cache_control(given: bytes, keyed: bool, shared_cache_s: int) -> bytes:
    """The Cache-Control of a route, or `no-cache`, with `public` or `private`.

    `shared_cache_s`: seconds for which shared caches may serve public answers without revalidation.
    """
    directives = [
        part.strip() for part in given.decode("latin-1").lower().split(",") if part.strip()
    ]
    rest = [part for part in directives or ["no-cache"] if part not in ("public", "private")]
    if keyed or "private" in directives:
        private = ["private", *(part for part in rest if not part.startswith("s-maxage"))]
        return ", ".join(private).encode()
    if "no-store" in rest:
        return ", ".join(rest).encode()
    if shared_cache_s and "no-cache" in rest:
        rest.remove("no-cache")
        rest += ["max-age=0", f"s-maxage={shared_cache_s}", "must-revalidate"]
    return ", ".join(["public", *rest]).encode()


@lru_cache(maxsize=256)
def vary(given: bytes, negotiated: bool, by_origin: bool) -> bytes:
    """The Vary of a route, with the headers of keys and those that were negotiated by."""
    names = f"{given.decode('latin-1')}, {_VARY}"
    names += ", Accept, Accept-Language" if negotiated else ""
    names += ", Origin" if by_origin else ""
    known = {name.strip().lower(): name.strip() for name in names.split(",") if name.strip()}
    return ", ".join(known.values()).encode()
