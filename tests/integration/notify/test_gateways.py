"""Gateways of SMS and Zalo, by a real server: what is sent, what is a receipt, each failure."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.errors import BadInput
from gis.notify.backoff import Backoff
from gis.notify.dispatch import Sender, send_due, sender_of
from gis.notify.subscriptions import SubscriptionRequest, subscribe, subscriptions, unsubscribe
from gis.settings import Settings
from tests.integration.notify.made import make_alert
from tests.integration.ogc_app import app_client

NUMBER = "+84912345678"
TWICE = Backoff(2, timedelta(0), timedelta(0))


class GatewayServer(ThreadingHTTPServer):
    """A gateway that answers 200 whatever it thinks of a message, as many do."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer = 200, b'{"result": {"code": 0}}'
        self.cut: bytes | None = None  # said in place of an answer, before the connection ends
        self.released = threading.Event()  # awaited before an answer
        self.released.set()
        self.taken: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: GatewayServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, dict(self.headers), body))
        self.server.released.wait(10)
        if self.server.cut is not None:
            self.connection.sendall(self.server.cut)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *words: object) -> None: ...


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with GatewayServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(5)


@pytest.fixture
def settings(gateway, tmp_path: Path, monkeypatch) -> Settings:
    """As an administrator sets them: a file of gateways, and the secret in the secrets' file."""
    (tmp_path / "gateways.toml").write_text(f"""
        [sms]
        url = "http://127.0.0.1:{gateway.server_port}/send"
        headers = {{ Authorization = "Bearer {{secret:SMS}}" }}
        json = {{ to = "{{address}}", content = "{{text}}", id = "{{key}}" }}
        answer = {{ json = {{ "result.code" = ["0"] }} }}
        """)
    secrets = tmp_path / "secrets"
    secrets.touch(0o600)
    secrets.write_text("GIS_GATEWAY_SECRET_SMS=of the file\n")
    monkeypatch.setenv("GIS_SECRETS_FILE", str(secrets))
    return Settings(
        gateways=tmp_path / "gateways.toml", webhook_networks="127.0.0.0/8", delivery_timeout_s=0.5
    )


def sender(settings: Settings) -> Sender:
    made = sender_of(settings)
    return Sender(made.channels, made.timeout_s, TWICE)


def add(database: Database, settings: Settings, target: str = f"sms:{NUMBER}") -> None:
    wish = SubscriptionRequest("a", "http", target, simulated=True)
    with database.writing() as connection:
        assert subscribe(connection, wish, "tests", sender_of(settings).channels) is None


@pytest.fixture
def alert(toy_province, settings) -> int:
    """An alert that waits to be sent to a telephone."""
    add(toy_province, settings)
    with toy_province.writing() as connection:
        return make_alert(connection)


def only(database: Database):
    with database.reading() as connection:
        (found,) = subscriptions(connection)
    return found


def test_a_text_arrives_with_its_secret_and_number(toy_province, settings, gateway, alert):
    assert send_due(toy_province, sender(settings)) == 1
    ((path, headers, body),) = gateway.taken
    sent = json.loads(body)
    assert (path, headers["Authorization"]) == ("/send", "Bearer of the file")
    assert headers["Content-Type"] == "application/json"
    assert (sent["to"], len(sent["id"])) == (NUMBER, 36)
    assert "Phản ánh: 12 báo cáo" in sent["content"]
    assert (only(toy_province).delivered, only(toy_province).error) == (1, "")


def test_the_environment_goes_before_the_file_of_secrets(settings, monkeypatch):
    monkeypatch.setenv("GIS_GATEWAY_SECRET_SMS", "of the environment")
    assert Settings().gateway_secrets["SMS"].get_secret_value() == "of the environment"
    assert "of the environment" not in repr(Settings())


FAILURES = {
    "500": ({"status": 500}, "the receiver answered 500"),
    "redirect": ({"status": 302}, "the receiver answered 302"),
    "200 with an error": (
        {"answer": b'{"result": {"code": 99, "for": "+84912345678"}}'},
        "the gateway answered result.code = 99, not 0",
    ),
    "200 with a page": ({"answer": b"<html>busy"}, "the gateway's answer is no JSON"),
    "200 without a body": ({"answer": b""}, "the gateway's answer is no JSON"),
    "200 without end": ({"answer": b"[" * 200_000}, "the gateway's answer is no JSON"),
    "cut before the answer": ({"cut": b""}, "no answer: RemoteProtocolError"),
    "cut within the answer": (
        {"cut": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"},
        "no answer: RemoteProtocolError",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_tried_again_then_given_up_and_can_be_sent_anew(
    toy_province, settings, gateway, alert, kind: str
):
    changes, error = FAILURES[kind]
    good = dict(vars(gateway))
    vars(gateway).update(changes)
    assert send_due(toy_province, sender(settings)) == 2
    found = only(toy_province)
    assert (found.delivered, found.dead, found.error) == (0, 1, error)
    first, second = (json.loads(body)["id"] for _, _, body in gateway.taken)
    assert first == second  # by which the gateway knows that it is the same message
    vars(gateway).update({name: good[name] for name in changes})
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.delivery SET status = 'waiting', attempts = 0"))
    assert send_due(toy_province, sender(settings)) == 1
    assert only(toy_province).delivered == 1


def test_a_slow_gateway_is_left_at_the_deadline(toy_province, settings, gateway, alert):
    gateway.released.clear()
    assert send_due(toy_province, sender(settings)) == 2
    assert only(toy_province).error == "no answer within 0.5 s"


def test_a_gateway_that_is_gone_for_good_is_not_asked_again(toy_province, settings, gateway, alert):
    gateway.status = 410
    assert send_due(toy_province, sender(settings)) == 1
    assert only(toy_province).dead == 1


def test_a_network_that_is_no_longer_allowed_stops_the_start(toy_province, settings):
    with pytest.raises(BadInput, match="GIS_WEBHOOK_NETWORKS"):
        sender_of(settings.model_copy(update={"webhook_networks": ""}))


def test_a_gateway_that_left_the_file_keeps_its_messages(
    toy_province, settings, gateway, alert, tmp_path: Path
):
    content = (tmp_path / "gateways.toml").read_text().replace("[sms]", "[other]")
    (tmp_path / "gateways.toml").write_text(content)
    patient = Sender(sender_of(settings).channels)
    assert send_due(toy_province, patient) == 1
    found = only(toy_province)
    assert (found.waiting, found.dead) == (1, 0)
    assert found.error == "there is no gateway sms in the file of GIS_GATEWAYS"
    assert gateway.taken == []


def everything(database: Database, schema: str) -> str:
    """All rows of all tables of a schema."""
    with database.writing() as connection:
        tables = connection.scalars(
            text("SELECT quote_ident(table_name) FROM information_schema.tables"
                 " WHERE table_schema = :schema AND table_type = 'BASE TABLE'"),
            {"schema": schema},
        ).all()  # fmt: skip
        return "\n".join(
            str(connection.execute(text(f"SELECT t::text FROM {schema}.{table} t")).all())
            for table in tables
        )


def test_a_number_is_among_the_private_data_alone(toy_province, settings, gateway, alert, capfd):
    gateway.status = 500
    send_due(toy_province, sender(settings))
    assert NUMBER in everything(toy_province, "private")
    assert "912345" not in everything(toy_province, "gis")
    assert only(toy_province).request.target == "sms:…678"
    assert "912345" not in "".join(capfd.readouterr())
    with pytest.raises(ProgrammingError), toy_province.reading() as connection:
        connection.execute(text("SELECT * FROM private.subscription_address"))
    with toy_province.writing() as connection:
        unsubscribe(connection, "a")
    assert NUMBER not in everything(toy_province, "private")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (NUMBER, "gateway:number"),
        (f"zalo:{NUMBER}", "there is no gateway zalo; there are: sms"),
        ("sms:123", "not as this gateway wants it"),
        ("sms:+8491234567\n", "printable ASCII"),
        ("sms:", "not as this gateway wants it"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_the_reason(
    toy_province, settings, target: str, words: str
):
    with pytest.raises(BadInput, match=words):
        add(toy_province, settings, target)


def test_over_http_a_number_goes_in_and_does_not_come_out(toy_province, settings, catalogue):
    with toy_province.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR, ())
    wish = {"name": "a", "channel": "http", "target": f"sms:{NUMBER}"}
    app = create_app(settings, toy_province, catalogue)
    with app_client(app, headers={"X-API-Key": key}) as client:
        assert client.post("/subscriptions", json=wish).status_code == 201
        listed = client.get("/subscriptions")
        refused = client.post("/subscriptions", json=wish | {"name": "b", "target": "sms:091"})
    assert listed.json()["subscriptions"][0]["target"] == "sms:…678"
    assert "912345" not in listed.text
    assert (refused.status_code, "091" in refused.text) == (400, False)
