"""A channel that appends notifications to a file: all that a third channel needs."""

from pathlib import Path
from typing import Self

import orjson

from gis.deadline import Deadline
from gis.errors import BadInput, NotDelivered
from gis.notify.channels.channel import Channel
from gis.notify.outbox import Delivery
from gis.notify.payload import notification_payload
from gis.settings import Settings


class FileChannel(Channel):
    name = "file"
    label = "absolute path of a file"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls()

    def check_address(self, address: str) -> None:
        if not Path(address).is_absolute():
            raise BadInput(f"{address} is no absolute path such as /var/spool/alerts.jsonl")

    def send(self, delivery: Delivery, until: Deadline) -> None:
        line = {"key": delivery.key, **notification_payload(delivery.notification)}
        try:
            with Path(delivery.target).open("ab") as file:
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise NotDelivered(f"the file cannot be written: {error.strerror}") from error
