"""Subscriptions of recipients to notifications of alerts: for operators."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection

from api.bodies import Body
from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue, UsedSettings, Writer
from api.records import json_ready, subscription_record
from gis.access import Principal, Role, require_operator
from gis.alerts.policy import Tier
from gis.errors import NotFound
from gis.notify.channels import CHANNELS, address_labels, channels_from
from gis.notify.notification import Language
from gis.notify.quiet_hours import QuietHours
from gis.notify.subscriptions import (
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
    """A subscription that an operator asks for; see SubscriptionRequest."""

    name: str = Field(min_length=1, max_length=100)
    channel: str = Field(max_length=100, json_schema_extra={"enum": [*CHANNELS]})
    target: str = Field(max_length=2000, description=f"Address: {address_labels()}")
    language: Language = Language.VI
    layers: list[str] = Field([], description="Empty: all but private ones")
    communes: list[str] = Field([], description="Codes of today; empty: everywhere")
    least_severity: Tier = Tier.ALERT
    simulated: bool = Field(False, description="Alerts on simulated data too")
    only_named: bool = Field(False, description="Only of layers whose files name it")
    on_duty: bool = Field(False, description="Only while its person is on duty by the roster")
    person: str = Field("", max_length=100, description="As the roster names whose it is")
    digest_minutes: int = Field(
        0, ge=0, le=1440, description="What is not urgent is gathered for so long; 0: not at all"
    )
    quiet_hours: str | None = Field(
        None, max_length=20, description="Hours such as 22:00-06:00 in which only urgent ones go"
    )


@router.get("")
def all_subscriptions(
    connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Subscriptions with what became of their deliveries; never a secret.

    Those that name a layer which the operator may not read are left out. `untold` lists the names
    of layer files that no subscription has.
    """
    require_operator(caller)
    visible = [
        json_ready(subscription_record(each)) for each in _visible(connection, catalogue, caller)
    ]
    missing = missing_recipients(connection, but_of=_closed(catalogue, caller))
    return {"subscriptions": visible, "untold": missing}


@router.post("", status_code=201)
def add_subscription(
    body: SubscriptionBody,
    connection: Writer,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """Send alerts there from now on. The secret of a webhook is shown this once."""
    require_operator(caller)
    request = _request(body, catalogue, caller)
    channels, by_admin = channels_from(settings), caller.role is Role.ADMIN
    secret = subscribe(connection, request, caller.name, channels, by_admin=by_admin)
    return {"name": request.name, "secret": secret}


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
    """Subscriptions that name no layer which the caller may not read."""
    closed = _closed(catalogue, caller)
    return [each for each in subscriptions(connection) if closed.isdisjoint(each.request.layers)]


def _check_visible(
    connection: Connection, name: str, catalogue: Catalogue, caller: Principal
) -> None:
    if name not in {each.request.name for each in _visible(connection, catalogue, caller)}:
        raise NotFound(f"there is no subscription {name}")


def _request(
    body: SubscriptionBody, catalogue: Catalogue, caller: Principal
) -> SubscriptionRequest:
    unknown = set(body.layers) - {layer.id for layer in catalogue.readable(caller)}
    if unknown:
        raise NotFound(f"there is no layer {min(unknown)}")
    values = body.model_dump() | {"layers": tuple(body.layers), "communes": tuple(body.communes)}
    values["quiet_hours"] = body.quiet_hours and QuietHours.parse(body.quiet_hours)
    return SubscriptionRequest(**values)
