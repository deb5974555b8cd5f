"""Mail: plain text in two languages, and no header that a headline could forge."""

from email import message_from_bytes, policy

import pytest

from gis.errors import BadInput
from gis.notify.channels.mail import MailChannel, check_mail_address, mail_message, mail_server
from gis.notify.notification import Language
from gis.notify.outbox import Delivery
from gis.settings import Settings
from tests.unit.notify.examples import told


def delivery(language: Language = Language.VI, **changes: object) -> Delivery:
    told_step = told(**changes)
    return Delivery(1, "k-1", 0, 1, "mail", "truc.ban@example.vn", language, None, told_step)


def read(language: Language = Language.VI, map_url: str | None = None, **changes: object):
    raw = mail_message(delivery(language, **changes), "gis@example.vn", map_url).as_bytes()
    return message_from_bytes(raw, policy=policy.default)


def test_a_mail_is_plain_text_in_the_language_asked_for():
    vi, en = read(Language.VI), read(Language.EN)
    assert vi["Subject"] == "[Cảnh báo] Cảnh báo mới: 12 báo cáo trong 3 ngày, bình thường 1,1"
    assert en["Subject"] == "[Alert] New alert: 12 reports in 3 days, normally 1.1"
    assert "Địa điểm: Xã Bãi Cát" in vi.get_content()
    assert "Where: Xã Bãi Cát" in en.get_content()
    assert "In <Bãi Cát> & around" in en.get_content()
    assert vi.get_content_type() == "text/plain"
    assert {"StrictUndefined", "{{", "{%"}.isdisjoint(vi.get_content().split())


def test_a_mail_says_where_to_look():
    vi = read(map_url="https://gis.example.vn").get_content()
    assert "Xem trên bản đồ: https://gis.example.vn/?alert=3\n" in vi
    assert "Tọa độ giữa vùng (vĩ độ, kinh độ): 22.05" in vi  # of a square with a hole
    assert "trên bản đồ trước khi" in vi
    en = read(Language.EN, geometry=None).get_content()
    assert "On the map:" not in en
    assert "Middle" not in en


def test_the_map_of_a_mail_is_where_clients_see_the_service():
    settings = Settings(_env_file=None, public_url="https://gis.example.vn")
    assert MailChannel.from_settings(settings).map_url == "https://gis.example.vn"


def test_simulated_data_is_named_first_to_be_doubted():
    assert "DỮ LIỆU MÔ PHỎNG" in read(simulated=True).get_content()
    assert "DỮ LIỆU MÔ PHỎNG" not in read().get_content()
    assert "ranh giới gần đúng" in read(official=False).get_content()


def test_a_repeat_has_the_same_message_id():
    assert read()["Message-ID"] == read()["Message-ID"] == "<k-1@example.vn>"


def test_a_headline_with_line_ends_forges_no_header():
    headline = {Language.VI: "a\r\nBcc: x@example.vn\n\nb", Language.EN: ""}
    message = read(headline=headline)
    assert message["Bcc"] is None
    assert message["Subject"].endswith("a Bcc: x@example.vn b")


def test_braces_in_a_headline_are_only_braces():
    headline = {Language.VI: "{{ 7 * 7 }}", Language.EN: ""}
    assert "{{ 7 * 7 }}" in read(headline=headline).get_content()


def test_what_is_simulated_says_so_before_anything_else():
    assert read(simulated=True)["Subject"].startswith("[MÔ PHỎNG] [Cảnh báo]")


def test_an_unknown_act_is_an_update():
    assert "Cập nhật" in read(act="something new")["Subject"]


@pytest.mark.parametrize("act", ["open", "notify", "escalate", "resolved", "expired", "false"])
def test_every_act_that_is_sent_has_words_of_its_own(act):
    assert read(act=act)["Subject"] != read(act="update")["Subject"]


@pytest.mark.parametrize("address", ["", "a", "a@", "@b", "a@b, c@d", "a@b\nBcc: c@d", "a b@c"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(BadInput, match="no mail address"):
        check_mail_address(address)


def test_the_mail_server_is_read_from_its_url_and_its_password_is_not_shown():
    server = mail_server("smtps://truc%40ban:w%3Ard@mail.example.vn", "gis@example.vn")
    assert (server.port, server.user, server.password) == (465, "truc@ban", "w:rd")
    assert "w:rd" not in repr(server)
    with pytest.raises(BadInput, match="smtp://"):
        mail_server("http://mail.example.vn", "gis@example.vn")


def test_a_secret_is_in_no_text_of_a_delivery():
    secret = "do-not-show"
    shown = Delivery(1, "k", 0, 1, "webhook", "http://x", Language.VI, secret, told())
    assert secret not in repr(shown) + str(shown)
