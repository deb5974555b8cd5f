"""Access rights and API keys. A key is shown once, stored as a hash, found by its prefix."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, text

from gis.errors import BadInput, NoKey, NotAllowed, NotFound

_PREFIX_LENGTH = 12  # `gis_` and 8 characters: they find a key and do not help to guess it


class Role(StrEnum):
    """Roles, each holding the rights of those before it; a department only for its layers."""

    ANONYMOUS = "anonymous"
    DEPARTMENT = "department"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, with role and name. `layers` are those that a department's key names."""

    name: str
    role: Role
    layers: frozenset[str] = frozenset()

    @property
    def audience(self) -> str:
        """The same text for principals with the same rights to read; part of cache keys."""
        return f"{self.role}:{','.join(sorted(self.layers))}"


ANONYMOUS = Principal("anonymous", Role.ANONYMOUS)
# Somebody at the machine itself, who could as well read the database's files.
LOCAL_ADMIN = Principal("local", Role.ADMIN)


def may_read(principal: Principal, audience: str, layer_id: str) -> bool:
    """True where a principal may read a layer whose file says `read: <audience>`."""
    if audience == "public" or principal.role is Role.ADMIN:
        return True
    if layer_id in principal.layers:
        return True
    return audience == "department" and principal.role is Role.OPERATOR


def may_write(principal: Principal, audience: str, write: str, layer_id: str) -> bool:
    """True where a principal may change rows of a layer (`read: <audience>`, `write: <write>`).

    A writer sees former values, the quarantine and the result of a replay: so writing a layer
    implies reading it.
    """
    if not may_read(principal, audience, layer_id):
        return False
    allowed = {
        "department": principal.role in (Role.OPERATOR, Role.ADMIN) or layer_id in principal.layers,
        "operator": principal.role in (Role.OPERATOR, Role.ADMIN),
        "admin": principal.role is Role.ADMIN,
    }
    return allowed.get(write, False)


def require_operator(principal: Principal) -> None:
    """Raises NoKey or NotAllowed unless the principal is an operator or administrator."""
    require(
        principal, principal.role in (Role.OPERATOR, Role.ADMIN), "this needs an operator's key"
    )


def require(principal: Principal, allowed: bool, reason: str) -> None:
    """Raises, unless `allowed`, NoKey for an anonymous principal and NotAllowed for others."""
    if allowed:
        return
    if principal.role is Role.ANONYMOUS:
        raise NoKey(
            f"{reason}: send it as the header X-API-Key or as the user name of HTTP Basic; "
            "`gis keys create` makes one"
        )
    raise NotAllowed(f"{reason}; the key of {principal.name} is a {principal.role} key")


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A listed key, without the key itself."""

    prefix: str
    name: str
    role: Role
    layers: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def create_key(connection: Connection, name: str, role: Role, layers: Sequence[str] = ()) -> str:
    """Make a key and store its hash; the key is returned this once. Raises BadInput."""
    if role is Role.ANONYMOUS:
        raise BadInput("nobody needs a key to be anonymous: give department, operator or admin")
    if (role is Role.DEPARTMENT) != bool(layers):
        raise BadInput("a department's key names its layers (--layer); other keys name none")
    key = f"gis_{secrets.token_urlsafe(32)}"
    connection.execute(
        text(
            "INSERT INTO gis.api_key (name, role, layers, prefix, hash)"
            " VALUES (:name, :role, :layers, :prefix, :hash)"
        ),
        {
            "name": name,
            "role": role.value,
            "layers": list(layers),
            "prefix": key[:_PREFIX_LENGTH],
            "hash": _hash(key),
        },
    )
    return key


def authenticate(connection: Connection, key: str) -> Principal:
    """The principal of a key; raises NoKey when it is unknown or revoked."""
    row = connection.execute(
        text(
            "SELECT name, role, layers, hash FROM gis.api_key"
            " WHERE prefix = :prefix AND revoked_at IS NULL"
        ),
        {"prefix": key[:_PREFIX_LENGTH]},
    ).one_or_none()
    if row is None or not hmac.compare_digest(row.hash, _hash(key)):
        raise NoKey("this key is unknown or revoked: ask an administrator for a new one")
    return Principal(row.name, Role(row.role), frozenset(row.layers))


def list_keys(connection: Connection) -> list[KeyInfo]:
    rows = connection.execute(
        text(
            "SELECT prefix, name, role, layers, created_at, revoked_at"
            " FROM gis.api_key ORDER BY created_at"
        )
    )
    return [
        KeyInfo(row.prefix, row.name, Role(row.role), tuple(row.layers), *row[4:]) for row in rows
    ]


def revoke_key(connection: Connection, prefix: str) -> None:
    """Revoke a key; raises NotFound when no live key starts so."""
    done = connection.execute(
        text(
            "UPDATE gis.api_key SET revoked_at = now()"
            " WHERE prefix = :prefix AND revoked_at IS NULL"
        ),
        {"prefix": prefix[:_PREFIX_LENGTH]},
    )
    if done.rowcount == 0:
        raise NotFound(f"no live key starts with {prefix}: `gis keys list` shows them")


def _hash(key: str) -> str:
    """SHA-256 is enough for 256 random bits; slow hashes are for passwords that people choose."""
    return hashlib.sha256(key.encode()).hexdigest()
