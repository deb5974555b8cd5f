"""Connector of MQTT: messages of topics, acknowledged when their batch is stored.

The broker holds a session for the client while nobody reads, so a message of QoS 1 or 2 that comes
between two readings, or was read by a process that died, comes at the next reading; the second
time it is marked as a duplicate. A reading listens for a while and ends.
"""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field, field_validator

from gis.clock import HERE
from gis.connectors.connector import (
    Batch,
    Connector,
    ConnectorOptions,
    Cursor,
    Record,
    Surroundings,
)
from gis.connectors.redaction import Redactor
from gis.connectors.templates import TemplateValues, named_secrets
from gis.errors import NotDelivered, SourceRefused, SourceUnavailable, Undeliverable

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

_CONNECT_S, _CLOSING_S = 10.0, 2.0
_KEEPALIVE_S = 120  # a batch is stored in less; then nobody answers the broker
_QUIET_S = 0.3  # without a message, after which what came is a batch: the broker waits for us
_LONGEST_TEXT = 2_000  # of a payload that is no JSON


class MqttOptions(ConnectorOptions):
    """Options of `connector: mqtt`."""

    host: str = Field(description="Host of the broker")
    port: int | None = Field(None, ge=1, le=65535, description="Unset: 1883, by TLS 8883")
    tls: bool = Field(False, description="By TLS, with a certificate that the machine trusts")
    user: str | None = Field(None, description="Name of the user")
    password: str | None = Field(None, description="`{secret:NAME}`")
    client: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name by which the broker keeps our messages; no other client has it",
    )
    topics: list[str] = Field(min_length=1, description="Topics, with the wildcards + and #")
    qos: Literal[0, 1, 2] = Field(
        1, description="Of the subscription; with 0 the broker keeps nothing while nobody reads"
    )
    format: Literal["json", "text"] = Field("json", description="Form of the payloads")
    listen_s: float = Field(50, gt=0, le=3_600, description="Seconds for which one reading listens")
    batch: int = Field(1_000, ge=1, le=10_000, description="Most messages of a batch")

    @field_validator("topics")
    @classmethod
    def _are_filters(cls, topics: list[str]) -> list[str]:
        for topic in topics:
            *above, last = topic.split("/")
            wild = ["+" in level and level != "+" for level in (*above, last)]
            if not topic or any(wild) or "#" in "".join(above) or ("#" in last and last != "#"):
                raise ValueError(f"{topic!r} is no topic: + is a whole level, # the last one")
        return topics


class MqttConnector(Connector[MqttOptions]):
    """Messages as `topic`, `payload`, `received_at`, `retained` and `duplicate`.

    A retained message is the last that the broker has of a topic, and may be old. A payload that
    is no JSON comes as `text` with a `fault`, since one that is not taken would come for ever.
    """

    name = "mqtt"
    label = "MQTT topics"
    Options = MqttOptions

    def __init__(self, options: MqttOptions, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        known = named_secrets(options, surroundings.secrets)
        values = TemplateValues(known)
        self._redactor = Redactor(known.values())
        self._user = values.filled(options.user) if options.user else None
        self._password = values.filled(options.password) if options.password else None
        self._client: Client | None = None
        self._messages: list[MQTTMessage] = []
        self._refusal: str | None = None
        self._is_subscribed = False
        self._stored: dict[int, list[tuple[int, int]]] = {}  # of batches: number and QoS

    def close(self) -> None:
        """Ends the connection when the broker has taken all acknowledgements, or seems not to."""
        client, self._client = self._client, None
        connection = cast(socket.socket | None, client.socket() if client is not None else None)
        if connection is None:
            return
        with suppress(OSError):
            connection.settimeout(_CLOSING_S)
            connection.shutdown(socket.SHUT_WR)
            until = time.monotonic() + _CLOSING_S
            while connection.recv(65_536) and time.monotonic() < until:
                continue
        connection.close()

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        number = int(cursor.get("batch", 0))
        until = time.monotonic() + self.options.listen_s
        self._connect()
        quiet_since = time.monotonic()
        while True:
            before = len(self._messages)
            is_over = time.monotonic() >= until
            self._loop(0.0 if is_over else min(_QUIET_S / 3, until - time.monotonic()))
            if len(self._messages) > before:
                quiet_since = time.monotonic()
            is_quiet = time.monotonic() - quiet_since >= _QUIET_S
            if self._messages and (
                is_quiet or is_over or len(self._messages) >= self.options.batch
            ):
                number += 1
                taken = self._messages[: self.options.batch]
                del self._messages[: len(taken)]
                self._stored[number] = [(m.mid, m.qos) for m in taken if m.qos]
                yield Batch([self._record(message) for message in taken], {"batch": number})
                quiet_since = time.monotonic()
            elif is_over:
                return

    def acknowledge(self, cursor: Cursor) -> None:
        """Lets the broker forget the messages of a batch; a lost connection forgets nothing."""
        for mid, qos in self._stored.pop(int(cursor["batch"]), ()):
            if self._client is not None:
                self._client.ack(mid, qos)

    def _connect(self) -> None:
        """Connect and subscribe. Raises SourceUnavailable and SourceRefused."""
        from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

        port = self.options.port or (8883 if self.options.tls else 1883)
        try:
            address = self.surroundings.policy.addresses(self.options.host, port)[0]
        except NotDelivered as error:
            kind = SourceRefused if isinstance(error, Undeliverable) else SourceUnavailable
            raise kind(str(error)) from None
        client = _checked_client_class()(
            CallbackAPIVersion.VERSION2,
            self.options.client,
            clean_session=self.options.qos == 0,
            manual_ack=True,
        )
        client.checked_address = (address, port)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = lambda _, __, message: self._messages.append(message)
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self.options.tls:
            client.tls_set_context(ssl.create_default_context())
        client.connect_timeout = _CONNECT_S
        self._client, self._refusal, self._is_subscribed = client, None, False
        try:
            code = client.connect(self.options.host, port, _KEEPALIVE_S)
        except ssl.SSLCertVerificationError:
            raise SourceRefused(
                f"the certificate of {self.options.host} is not one that this machine trusts"
            ) from None
        except (OSError, ValueError) as error:
            raise SourceUnavailable(
                f"{self.options.host} cannot be reached ({type(error).__name__})"
            ) from None
        until = time.monotonic() + self.surroundings.timeout_s
        while not self._is_subscribed and self._refusal is None:
            if time.monotonic() > until:
                raise SourceUnavailable(f"{self.options.host} is too slow: no answer in time")
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise SourceUnavailable(f"{self.options.host} ended the connection")
            code = client.loop(0.05)
        if self._refusal is not None:
            raise SourceRefused(self._redactor.quote(self._refusal))

    def _loop(self, seconds: float) -> None:
        from paho.mqtt.enums import MQTTErrorCode

        assert self._client is not None
        if self._client.loop(seconds) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise SourceUnavailable(f"{self.options.host} ended the connection")

    def _on_connect(self, client: Any, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self._refusal = f"{self.options.host} refuses the connection, renew the login: {reason}"
            return
        client.subscribe([(topic, self.options.qos) for topic in self.options.topics])

    def _on_subscribe(self, _: Any, __: Any, ___: Any, reasons: Any, ____: Any) -> None:
        for topic, reason in zip(self.options.topics, reasons, strict=True):
            if reason.is_failure:
                self._refusal = f"{self.options.host} does not let us read {topic}: {reason}"
        self._is_subscribed = True

    def _record(self, message: "MQTTMessage") -> Record:
        record: dict[str, Any] = {
            "topic": message.topic,
            "received_at": datetime.now(HERE).isoformat(timespec="seconds"),
            "retained": message.retain,
            "duplicate": message.dup,
        }
        try:
            text = message.payload.decode("utf-8-sig")
            payload = json.loads(text) if self.options.format == "json" else text
            return record | {"payload": payload}
        except UnicodeDecodeError:
            fault = "the payload is no text in UTF-8"
        except (ValueError, RecursionError):
            fault = "the payload is no JSON"
        shown = message.payload[:_LONGEST_TEXT].decode("utf-8", "replace")
        return record | {"payload": None, "fault": fault, "text": shown}


def _checked_client_class() -> Any:
    from paho.mqtt.client import Client

    class CheckedClient(Client):
        """A client that connects to the very address that was checked (no DNS rebinding)."""

        checked_address: tuple[str, int]

        def _create_socket_connection(self) -> socket.socket:
            return socket.create_connection(self.checked_address, self._connect_timeout)

    return CheckedClient
