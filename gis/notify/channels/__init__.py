"""Registry of notification channels: a module each, and its class in the tuple below.

Commands, routes, checks and the sender take names, help texts and addresses from here.
"""

from gis.notify.channels.channel import Channel
from gis.notify.channels.http import HttpChannel
from gis.notify.channels.mail import MailChannel
from gis.notify.channels.webhook import WebhookChannel
from gis.settings import Settings

CHANNELS: dict[str, type[Channel]] = {
    kind.name: kind for kind in (MailChannel, WebhookChannel, HttpChannel)
}


def channels_from(settings: Settings) -> dict[str, Channel]:
    """Each channel by its name, as the settings configure it. Raises BadInput."""
    return {name: kind.from_settings(settings) for name, kind in CHANNELS.items()}


def channel_names() -> str:
    """For help and error texts: `mail or webhook or http`."""
    return " or ".join(CHANNELS)


def address_labels() -> str:
    """For help texts: `mail address or URL of a webhook`."""
    return " or ".join(kind.label for kind in CHANNELS.values())
