"""Who is told of alerts, by webhook or mail: for operators."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection

from api.bodies import Body
from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue, UsedSettings, Writer
from gis.access import Principal, Role, require_operator
from gis.alerts.policy import Tier
from gis.errors import NotFound
from gis.notify.dispatch import sender_of
from gis.notify.notification import Language
from gis.notify.subscriptions import (
    Channel,
    Subscription,
    SubscriptionRequest,
    retry_failed,
    subscribe,
    subscriptions,
    unsubscribe,
)
from layers.definition.catalogue import Catalogue
from layers.definition.recipients import missing_recipients

router = APIRouter(prefix="/subscriptions", tags=["alerts"], dependencies=[DeclaredParameters])


class SubscriptionBody(Body):
    """The wish of an operator; see gis.notify.subscriptions.Wish."""

    name: str = Field(min_length=1, max_length=100)
    channel: Channel
    target: str = Field(max_length=2000, description="URL of a webhook, or mail address")
    language: Language = Language.VI
    layers: list[str] = Field([], description="Empty: all but private ones")
    communes: list[str] = Field([], description="Codes of today; empty: everywhere")
    least_severity: Tier = Tier.ALERT
    simulated: bool = Field(False, description="Alerts on simulated data too")
    only_named: bool = Field(False, description="Only of layers whose files name it")


@router.get("")
def all_subscriptions(
    connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Subscriptions with what became of their deliveries; never a secret.

    Those that name a layer which the operator may not read are not told. `untold` says which
    names
    of layer files no subscription has.
    """
    require_operator(caller)
    found = [_as_json(one) for one in _visible(connection, catalogue, caller)]
    missing = missing_recipients(connection, but_of=_closed(catalogue, caller))
    return {"subscriptions": found, "untold": missing}


@router.post("", status_code=201)
def add_subscription(
    body: SubscriptionBody,
    connection: Writer,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """Send alerts there from now on. The secret of a webhook is told this once."""
    require_operator(caller)
    wish = _wish(body, catalogue, caller)
    reach, by_admin = sender_of(settings).reach, caller.role is Role.ADMIN
    secret = subscribe(connection, wish, caller.name, reach, by_admin=by_admin)
    return {"name": wish.name, "secret": secret}


@router.delete("/{name}", status_code=204)
def end_subscription(
    name: str, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> None:
    """Send nothing more there, also not what waits."""
    require_operator(caller)
    _check_visible(connection, name, catalogue, caller)
    unsubscribe(connection, name)


@router.post("/{name}/retry")
def retry_subscription(
    name: str, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, int]:
    """Send anew what was given up."""
    require_operator(caller)
    _check_visible(connection, name, catalogue, caller)
    return {"waiting": retry_failed(connection, name)}


def _closed(catalogue: Catalogue, caller: Principal) -> set[str]:
    """The layers that the caller may not read."""
    readable = {layer.id for layer in catalogue.readable(caller)}
    return {layer.id for layer in catalogue.layers} - readable


def _visible(connection: Connection, catalogue: Catalogue, caller: Principal) -> list[Subscription]:
    """Those that name no layer which the caller may not read."""
    closed = _closed(catalogue, caller)
    return [one for one in subscriptions(connection) if closed.isdisjoint(one.wish.layers)]


def _check_visible(
    connection: Connection, name: str, catalogue: Catalogue, caller: Principal
) -> None:
    if name not in {one.wish.name for one in _visible(connection, catalogue, caller)}:
        raise NotFound(f"there is no subscription {name}")


def _wish(body: SubscriptionBody, catalogue: Catalogue, caller: Principal) -> SubscriptionRequest:
    unknown = set(body.layers) - {layer.id for layer in catalogue.readable(caller)}
    if unknown:
        raise NotFound(f"there is no layer {min(unknown)}")
    values = body.model_dump() | {"layers": tuple(body.layers), "communes": tuple(body.communes)}
    return SubscriptionRequest(**values)


def _as_json(one: Subscription) -> dict[str, Any]:
    wish = one.wish
    return {
        "name": wish.name,
        "channel": wish.channel,
        "target": wish.target,
        "language": wish.language,
        "layers": list(wish.layers),
        "communes": list(wish.communes),
        "least_severity": wish.least_severity,
        "simulated": wish.simulated,
        "only_named": wish.only_named,
        "created_at": one.created_at.isoformat(),
        "created_by": one.created_by,
        "delivered": one.delivered,
        "waiting": one.waiting,
        "dead": one.dead,
        "error": one.error,
    }
