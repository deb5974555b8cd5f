"""Gateways: templates of a closed list, escaped for their place, and answers that are checked."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gis.egress import EgressPolicy
from gis.errors import BadFile, BadInput, NotDelivered
from gis.notify.channels.gateways import AnswerCheck, Gateway, read_gateways
from gis.notify.channels.template import ASCII_PLACEHOLDERS, PLACEHOLDERS, check_template, filled
from gis.notify.notification import Language
from gis.notify.text import message_values
from tests.unit.notify.examples import told

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "gateways.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SECRETS = {name: SecretStr(f"k-{name}") for name in ("SMS", "ZALO", "OLD_USER", "OLD_KEY")}
VALUES = {name: f"<{name}>" for name in PLACEHOLDERS} | {"secret:KEY": "k"}
ANYWHERE = EgressPolicy()
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


def read(tmp_path: Path, text: str, **secrets: str) -> dict[str, Gateway]:
    path = tmp_path / "gateways.toml"
    path.write_text(text, encoding="utf-8")
    given = {name: SecretStr(value) for name, value in secrets.items()}
    return read_gateways(path, given or SECRETS, ANYWHERE)


def gateway(**changes: object) -> Gateway:
    return Gateway.model_validate({"url": "https://g.example.vn/send"} | changes)


def test_the_example_of_the_documentation_is_read(tmp_path: Path):
    gateways = read(tmp_path, EXAMPLE)
    assert set(gateways) == {"sms", "zalo", "old"}
    gateways["sms"].check_address("+84912345678")
    with pytest.raises(BadInput, match="not as this gateway wants it") as caught:
        gateways["sms"].check_address("0912345678")
    assert "0912345678" not in str(caught.value)


def test_the_documentation_names_every_placeholder():
    for name in PLACEHOLDERS:
        assert f"`{{{name}}}`" in PAGE, name


def test_no_file_is_no_gateway():
    assert read_gateways(None, {}, ANYWHERE) == {}


URL = 'url = "https://g.example.vn/"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sms]\nurl = ", "Invalid value"),
        (f"[SMS]\n{URL}", "small letters"),
        ("[sms]\n", "url: Field required"),
        (f"[sms]\n{URL}urll = 1", "urll: Extra inputs"),
        (f'[sms]\n{URL}json = {{content = "{{txt}}"}}', r"json.content: .* did you mean {text}\?"),
        (f'[sms]\n{URL}json = {{a = ["{{text"]}}', "json.a: a brace stands alone"),
        (f'[sms]\n{URL}plain = "{{0.__class__}}"', "no placeholder"),
        (f'[sms]\n{URL}headers = {{X = "{{headline}}"}}', "headers.X: {headline} cannot stand"),
        (f'[sms]\n{URL}headers = {{X = "khẩn"}}', "headers.X: it is of printable ASCII"),
        (f'[sms]\n{URL}headers = {{"X\\r\\nY" = "1"}}', "cannot be set"),
        (f'[sms]\n{URL}headers = {{Host = "a"}}', "headers.Host: this header cannot be set"),
        (f'[sms]\n{URL}plain = "a"\nform = {{a = "b"}}', "give one body"),
        (f'[sms]\n{URL}method = "GET"\nplain = "a"', "a GET has no body"),
        (f'[sms]\n{URL}plain = "{{secret:NONE}}"', "set the secret GIS_GATEWAY_SECRET_NONE"),
        (f'[sms]\n{URL}address = "("', "address: it is no regular expression"),
        ('[sms]\nurl = "https://{address}.example.vn/"', "url: no placeholder stands before"),
        ('[sms]\nurl = "http://127.0.0.1/"', "GIS_WEBHOOK_NETWORKS"),
        ('[sms]\nurl = "file:///etc/passwd"', "url: a gateway is an http"),
    ],
)
def test_a_fault_of_the_file_is_named_with_its_place(tmp_path: Path, text: str, words: str):
    with pytest.raises(BadFile, match=words):
        read(tmp_path, text)


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_placeholder_stands_in_headers_only_where_it_is_ascii(name: str):
    values = message_values(told(), Language.VI, "https://bản-đồ.vn", 300)
    values |= {"address": "1", "key": "k"}
    assert values.keys() == PLACEHOLDERS.keys()
    if name in ASCII_PLACEHOLDERS:
        assert values[name].isascii()
    else:
        with pytest.raises(BadInput):
            check_template(f"{{{name}}}", ASCII_PLACEHOLDERS)


@given(TEXTS)
def test_each_body_gives_the_very_text_back_and_nothing_beside_it(text: str):
    values = VALUES | {"text": text, "address": "84912345678"}
    body = gateway(json={"a": {"b": ["{text}", 1, True]}}).request(values).body
    assert json.loads(body) == {"a": {"b": [text, 1, True]}}
    form = gateway(form={"a": "{text}", "b": "x"}).request(values).body.decode()
    expected = {"a": [text], "b": ["x"]}
    assert parse_qs(form, keep_blank_values=True, strict_parsing=True) == expected
    xml = ElementTree.fromstring(gateway(xml="<a b='{text}'>{text}</a>").request(values).body)
    assert (xml.text or "", xml.attrib["b"]) == (text, text)
    assert gateway(plain="“{text}”").request(values).body.decode() == f"“{text}”"


@given(TEXTS)
def test_a_value_in_the_url_stays_in_its_place(text: str):
    made = gateway(url="https://g.example.vn/to/{text}?a=1", query={"q": "{text}"})
    parts = urlsplit(made.request(VALUES | {"text": text}).url)
    assert (parts.netloc, parts.path.count("/")) == ("g.example.vn", 2)
    query = parse_qs(parts.query, keep_blank_values=True)
    assert query == {"a": ["1"], "q": [text]}


def test_what_a_value_holds_is_no_placeholder():
    values = {"text": "{secret:KEY} {{ }}", "secret:KEY": "k"}
    assert filled("{{{text}}} {secret:KEY}", values) == "{{secret:KEY} {{ }}} k"


@pytest.mark.parametrize("header", ["X-A: b", "Basic"])
def test_headers_and_basic_carry_secrets(header: str):
    made = gateway(headers={"X-A": "b {secret:KEY}"}, user="{secret:KEY}", password="p")
    headers = dict(made.request(VALUES).headers)
    assert headers == {"X-A": "b k", "Authorization": "Basic azpw"}
    assert "k" not in repr(made.request(VALUES)).replace("HttpRequest", "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"r": {"code": 0}}', None),
        (b'{"r": {"code": "0"}}', None),
        (b'{"r": {"code": true}}', "r.code = true, not 0"),
        (b'{"r": {"code": 99}}', "r.code = 99, not 0"),
        (b'{"r": {"code": "' + b"9" * 500 + b'"}}', "r.code = 9{60}…, not 0"),
        (b'{"r": 0}', "has no r.code"),
        (b'{"r": [{"code": 0}]}', "has no r.code"),
        (b"[]", "has no r.code"),
        (b"<html>", "no JSON"),
        (b"\xff", "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_an_answer_is_a_receipt_only_with_an_accepted_value(body: bytes, words: str | None):
    check = AnswerCheck.model_validate({"json": {"r.code": ["0"]}})
    if words is None:
        check.check(body)
        return
    with pytest.raises(NotDelivered, match=words):
        check.check(body)


def test_a_member_of_a_list_is_found_by_its_place():
    AnswerCheck.model_validate({"json": {"r.1.code": ["0"]}}).check(b'{"r": [{}, {"code": 0}]}')


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("length", [40, 70, 160, 500])
def test_a_text_is_one_line_of_at_most_its_length_and_keeps_the_link(language, length: int):
    headline = dict.fromkeys(Language, "Sạt lở\r\nở “Bản Khoang” – 12 báo cáo\x00 " * 5)
    values = message_values(told(headline=headline), language, "https://gis.vn/", length)
    assert len(values["text"]) <= length
    assert values["text"].endswith(" https://gis.vn/?alert=3")
    assert all(value.isprintable() for value in values.values())
    assert values["text_ascii"].isascii()
    assert ("Sat lo o" in values["text_ascii"]) == (length > 40)


def test_simulated_data_say_so_first():
    values = message_values(told(simulated=True), Language.VI, None, 160)
    assert values["text"].startswith("[MÔ PHỎNG] [Cảnh báo] Cảnh báo mới: 12 báo cáo")
    assert values["text"].endswith("Xã Bãi Cát")
