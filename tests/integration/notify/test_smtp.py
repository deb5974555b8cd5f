"""Mail to a real mail server on this machine."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller

from gis.notify.channels.mail import MailChannel, mail_server
from gis.notify.dispatch import Sender, send_due
from gis.notify.notification import Language
from gis.notify.subscriptions import SubscriptionRequest, subscribe, subscriptions
from tests.acceptance.service import free_port
from tests.integration.notify.made import make_alert
from tests.integration.notify.processes import HERE


class Desk:
    """Keeps what it is sent; answers each recipient as told."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answer = "250 OK"
        self.farewell = "221 Bye"

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_QUIT(self, server, session, envelope) -> str:
        return self.farewell

    async def handle_DATA(self, server, session, envelope) -> str:
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def sender(desk: Desk) -> Iterator[Sender]:
    """A sender whose mail server is a real one, on a port of this machine."""
    controller = Controller(desk, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        url = f"smtp://127.0.0.1:{controller.port}"
        yield Sender({"mail": MailChannel(mail_server(url, "gis@example.vn"))})
    finally:
        controller.stop()


@pytest.fixture
def alert(toy_province) -> int:
    """An alert, of which two officers want to know, in their languages."""
    with toy_province.writing() as connection:
        for one in Language:
            wish = SubscriptionRequest(
                one, "mail", f"{one}@example.vn", language=one, simulated=True
            )
            subscribe(connection, wish, "tests", HERE)
        return make_alert(connection)


def test_each_officer_gets_one_mail_in_their_language(toy_province, desk, sender, alert):
    send_due(toy_province, sender)
    subjects = {message["To"]: message["Subject"] for message in desk.messages}
    assert subjects == {
        "vi@example.vn": "[MÔ PHỎNG] [Cảnh báo] Cảnh báo mới: Phản ánh: 12 báo cáo",
        "en@example.vn": "[SIMULATED] [Alert] New alert: Reports: 12 reports",
    }
    assert all("@example.vn>" in message["Message-ID"] for message in desk.messages)
    assert any("Địa điểm: Xã Bãi Cát" in message.get_content() for message in desk.messages)


def test_mail_that_was_taken_is_not_sent_again_whatever_the_server_says_in_parting(
    toy_province, desk, sender, alert
):
    desk.farewell = "421 too busy, closing"
    assert send_due(toy_province, sender) == 2
    with toy_province.reading() as connection:
        found = subscriptions(connection)
    assert [(one.waiting, one.dead, one.error) for one in found] == [(0, 0, "")] * 2
    assert (send_due(toy_province, sender), len(desk.messages)) == (0, 2)


def test_addresses_that_do_not_exist_are_given_up(toy_province, desk, sender, alert):
    """Each is told, in vain, that the other fails; with that it ends."""
    desk.answer = "550 no such user"
    assert send_due(toy_province, sender) == 4
    with toy_province.reading() as connection:
        found = subscriptions(connection)
    assert [(one.waiting, one.dead, one.error) for one in found] == [
        (0, 2, "the mail server refused the address with 550")
    ] * 2


def test_a_server_that_is_busy_is_asked_again(toy_province, desk, sender, alert):
    desk.answer = "451 later"
    assert send_due(toy_province, sender) == 2
    with toy_province.reading() as connection:
        assert [one.waiting for one in subscriptions(connection)] == [1, 1]


def test_without_a_mail_server_mail_waits_and_says_why(toy_province, alert):
    send_due(toy_province, Sender(HERE))
    with toy_province.reading() as connection:
        found = subscriptions(connection)
    assert {one.error for one in found} == {"no mail server: set GIS_SMTP_URL"}
    assert [one.waiting for one in found] == [1, 1]
