"""Mail: plain text in the language of the subscription; repeats have the same Message-ID."""

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from gis.deadline import Deadline
from gis.errors import BadInput, NotDelivered, Undeliverable
from gis.notify.channels.channel import Channel
from gis.notify.text import digest_text, mail_subject, mail_text
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.notify.outbox import Delivery

# No quoted parts and no lists, which officers' addresses do not have.
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server that takes our mail. A user and password are sent over TLS only."""

    host: str
    port: int
    sender: str
    tls_from_start: bool = False
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"  # never the password


def mail_server(url: str, sender: str) -> MailServer:
    """The server of a URL smtp://host:port or smtps://user:password@host. Raises BadInput."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadInput("the mail server is given as smtp://host:port or smtps://user:password@host")
    check_mail_address(sender)
    return MailServer(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        sender=sender,
        tls_from_start=parts.scheme == "smtps",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def check_mail_address(address: str) -> None:
    """Raises BadInput unless it is a single mail address."""
    if not _ADDRESS.fullmatch(address):
        raise BadInput(f"{address} is no mail address such as truc.ban@example.vn")


@dataclass(frozen=True, slots=True)
class MailChannel(Channel):
    """Mail by one server; without one every notification waits for it."""

    name = "mail"
    label = "mail address"

    server: MailServer | None = None
    map_url: str | None = None  # of the map, to which mails link; None: no link

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        url = settings.smtp_url
        server = url and mail_server(url.get_secret_value(), settings.mail_from)
        return cls(server or None, settings.public_url)

    def check_address(self, address: str) -> None:
        check_mail_address(address)

    def send(self, delivery: "Delivery", until: Deadline) -> None:
        """Raises NotDelivered, or Undeliverable for an address that the server refuses for good."""
        sender = self.server.sender if self.server else ""
        self.hand_over(mail_message(delivery, sender, self.map_url), until)

    def hand_over(self, message: EmailMessage, until: Deadline) -> None:
        """Hand a mail to the server. Raises as `send` does."""
        if self.server is None:
            raise NotDelivered("no mail server: set GIS_SMTP_URL")
        try:
            _hand_over(message, self.server, until)
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()))
            kind = Undeliverable if 500 <= code < 600 else NotDelivered
            raise kind(f"the mail server refused the address with {code}") from error
        except (smtplib.SMTPException, OSError) as error:
            why = f"not within {until.seconds:g} s" if until.passed else type(error).__name__
            raise NotDelivered(f"the mail server did not take it: {why}") from error


def _hand_over(message: EmailMessage, server: MailServer, until: Deadline) -> None:
    session = _TlsSession(server, until) if server.tls_from_start else _Session(server, until)
    try:
        _secure(session, server)
        session.send_message(message)
        with suppress(smtplib.SMTPException, OSError):
            session.quit()  # the mail is taken, whatever the server answers to QUIT
    finally:
        session.close()


def mail_message(delivery: "Delivery", sender: str, map_url: str | None = None) -> EmailMessage:
    """The mail of a delivery; its Message-ID is the delivery's key at the sender's domain."""
    notification = delivery.notification
    message = EmailMessage()
    message["From"] = sender
    message["To"] = delivery.target
    if delivery.digest:
        subject, words = digest_text(delivery.digest, delivery.language, map_url)
    else:
        subject = mail_subject(notification, delivery.language)
        words = mail_text(notification, delivery.language, map_url)
    message["Subject"] = subject
    message["Date"] = format_datetime(notification.at)
    message["Message-ID"] = f"<{delivery.key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = delivery.language
    message.set_content(words)
    return message


class _Session(smtplib.SMTP):
    """An SMTP session that ends with the deadline."""

    def __init__(self, server: MailServer, until: Deadline) -> None:
        self._until = until
        super().__init__(server.host, server.port)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._until.connect(host, port)


# In this order, so that SMTP_SSL takes its socket from _Session.
class _TlsSession(smtplib.SMTP_SSL, _Session):
    """An SMTP session over TLS from its start that ends with the deadline."""

    def __init__(self, server: MailServer, until: Deadline) -> None:
        self._until = until
        trusted = ssl.create_default_context()
        smtplib.SMTP_SSL.__init__(self, server.host, server.port, context=trusted)


def _secure(session: smtplib.SMTP, server: MailServer) -> None:
    """Start TLS where the server offers it, and log in if there is a user."""
    # Certificates are loaded for TLS alone: that takes longer than all else of a mail.
    if not server.tls_from_start:
        session.ehlo()
        if server.user is not None or session.has_extn("starttls"):
            session.starttls(context=ssl.create_default_context())
    if server.user is not None:
        session.login(server.user, server.password or "")
