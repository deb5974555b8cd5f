"""Readers of alerts: everybody reads those that are published, the desk of a layer all of them.

`gis.published_alert` (results.sql) says which are published; this module who reads the others.
"""

from collections.abc import Iterable

from gis.access import Principal, Role
from gis.alerts.actions import Alert


def is_operator(principal: Principal) -> bool:
    """True for operators and administrators, who also read what is for operators alone."""
    return principal.role in (Role.OPERATOR, Role.ADMIN)


def serves_desk(principal: Principal, layer_id: str) -> bool:
    """True if a reader of a layer reads all of its alerts: operators, and who has a key of the
    department that names the layer.
    """
    of_department = principal.role is Role.DEPARTMENT and layer_id in principal.layers
    return of_department or is_operator(principal)


def desk_layers(principal: Principal, readable: Iterable[str]) -> list[str]:
    """The layers, of those that a principal may read, all of whose alerts it reads."""
    return [layer_id for layer_id in readable if serves_desk(principal, layer_id)]


def may_see(alert: Alert, principal: Principal) -> bool:
    """True if a reader of the alert's layer may see the alert."""
    if alert.internal:
        return is_operator(principal)
    return alert.published or serves_desk(principal, alert.layer_id)
