"""Mail: plain text in the subscription's language, with a Message-ID that repeats keep."""

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from gis.errors import BadInput
from gis.notify.deadline import Deadline, deadline
from gis.notify.errors import NotDelivered, Undeliverable
from gis.notify.outbox import Delivery
from gis.notify.text import mail_subject, mail_text

# What officers' addresses are made of; no quoted parts, no lists.
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. With a user, only over TLS."""

    host: str
    port: int
    sender: str
    tls_from_start: bool = False
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"  # never the password


def mail_server(url: str, sender: str) -> MailServer:
    """From smtp://host:port or smtps://user:password@host. Raises BadInput."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadInput("the mail server is given as smtp://host:port or smtps://user:password@host")
    check_address(sender)
    return MailServer(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        sender=sender,
        tls_from_start=parts.scheme == "smtps",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def check_address(address: str) -> None:
    """Raises BadInput for what is no single mail address."""
    if not _ADDRESS.fullmatch(address):
        raise BadInput(f"{address} is no mail address such as truc.ban@example.vn")


def send_mail(
    delivery: Delivery, server: MailServer, timeout_s: float, map_url: str | None = None
) -> None:
    """Raises NotDelivered, or Undeliverable for an address that the server refuses for good.

    `timeout_s`: until then the server has taken the mail, whatever it sent meanwhile.
    """
    message = mail_message(delivery, server.sender, map_url)
    with deadline(timeout_s) as until:
        try:
            _hand_over(message, server, until)
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()))
            kind = Undeliverable if 500 <= code < 600 else NotDelivered
            raise kind(f"the mail server refused the address with {code}") from error
        except (smtplib.SMTPException, OSError) as error:
            why = f"not within {timeout_s:g} s" if until.passed else type(error).__name__
            raise NotDelivered(f"the mail server did not take it: {why}") from error


def _hand_over(message: EmailMessage, server: MailServer, until: Deadline) -> None:
    session = _TlsSession(server, until) if server.tls_from_start else _Session(server, until)
    try:
        _secure(session, server)
        session.send_message(message)
        with suppress(smtplib.SMTPException, OSError):
            session.quit()  # what a server says of leaving says nothing of the mail
    finally:
        session.close()


def mail_message(delivery: Delivery, sender: str, map_url: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = delivery.target
    message["Subject"] = mail_subject(delivery.told, delivery.language)
    message["Date"] = format_datetime(delivery.told.at)
    message["Message-ID"] = f"<{delivery.key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = delivery.language
    message.set_content(mail_text(delivery.told, delivery.language, map_url))
    return message


class _Session(smtplib.SMTP):
    """A session that ends with the deadline."""

    def __init__(self, server: MailServer, until: Deadline) -> None:
        self._until = until
        super().__init__(server.host, server.port)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._until.connect(host, port)


class _TlsSession(smtplib.SMTP_SSL, _Session):  # in this order, so that SMTP_SSL asks _Session
    """The same over TLS from its start."""

    def __init__(self, server: MailServer, until: Deadline) -> None:
        self._until = until
        trusted = ssl.create_default_context()
        smtplib.SMTP_SSL.__init__(self, server.host, server.port, context=trusted)


def _secure(session: smtplib.SMTP, server: MailServer) -> None:
    """TLS where the server offers it, and the user logged in if there is one.

    Certificates are read for TLS alone: that takes longer than all else of a mail.
    """
    if not server.tls_from_start:
        session.ehlo()
        if server.user is not None or session.has_extn("starttls"):
            session.starttls(context=ssl.create_default_context())
    if server.user is not None:
        session.login(server.user, server.password or "")
