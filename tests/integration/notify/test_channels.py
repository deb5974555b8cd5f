"""A channel is one module and one line of the registry: commands, routes and the sender follow."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.notify.backoff import Backoff
from gis.notify.channels import CHANNELS, address_labels, channel_names, channels_from
from gis.notify.dispatch import Sender, send_due, sender_of
from gis.notify.subscriptions import subscriptions
from gis.settings import Settings
from layers.definition.recipients import missing_recipients
from tests.integration.notify.file_channel import FileChannel
from tests.integration.notify.made import make_alert
from tests.integration.notify.test_recipients import publish
from tests.integration.ogc_app import Client, app_client


@pytest.fixture
def http(toy_province, catalogue, monkeypatch) -> Iterator[Client]:
    """An operator's client of a service that has one channel more."""
    monkeypatch.setitem(CHANNELS, FileChannel.name, FileChannel)
    with toy_province.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR, ())
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    headers = {"X-API-Key": key}
    with app_client(app, headers=headers) as client:
        yield client


def body(path: Path | str, channel: str = "file") -> dict[str, object]:
    return {"name": "spool", "channel": channel, "target": str(path), "simulated": True}


def only(database: Database):
    with database.reading() as connection:
        (subscription,) = subscriptions(connection)
    return subscription


def test_a_third_channel_delivers(http, toy_province, tmp_path: Path):
    spool = tmp_path / "alerts.jsonl"
    added = http.post("/subscriptions", json=body(spool))
    assert (added.status_code, added.json()["secret"]) == (201, None)
    with toy_province.writing() as connection:
        alert = make_alert(connection)
    assert send_due(toy_province, sender_of(Settings(_env_file=None))) == 1
    (line,) = map(orjson.loads, spool.read_bytes().splitlines())
    assert (line["act"], line["alert"]["id"]) == ("open", alert)
    assert (only(toy_province).request.channel, only(toy_province).delivered) == ("file", 1)


def test_its_failures_are_tried_again_and_given_up_as_all_others(http, toy_province, tmp_path):
    assert http.post("/subscriptions", json=body(tmp_path / "no" / "folder")).status_code == 201
    with toy_province.writing() as connection:
        make_alert(connection)
    channels = channels_from(Settings(_env_file=None))
    now = Backoff(3, timedelta(0), timedelta(0))
    assert send_due(toy_province, Sender(channels, retrying=now)) == 3
    error = "the file cannot be written: No such file or directory"
    assert (only(toy_province).dead, only(toy_province).error) == (1, error)


def test_help_and_refusals_name_it(http, toy_province, catalogue):
    assert channel_names() == "mail or webhook or http or file"
    assert address_labels().endswith("or absolute path of a file")
    refused = http.post("/subscriptions", json=body("alerts.jsonl"))
    assert (refused.status_code, "no absolute path" in refused.json()["detail"]) == (400, True)
    refused = http.post("/subscriptions", json=body("/a", channel="pigeon"))
    assert refused.status_code == 400
    assert (
        refused.json()["detail"]
        == "there is no channel pigeon: use mail or webhook or http or file"
    )
    publish(toy_province, catalogue, {"who": "spool"})
    with toy_province.reading() as connection:
        (sentence,) = missing_recipients(connection)
    assert sentence.endswith(
        "gis subscriptions add spool mail …, or webhook …, or http …, or file …"
    )


def test_a_subscription_whose_channel_is_gone_is_given_up_with_the_reason(
    http, toy_province, monkeypatch, tmp_path
):
    http.post("/subscriptions", json=body(tmp_path / "alerts.jsonl"))
    monkeypatch.delitem(CHANNELS, "file")
    with toy_province.writing() as connection:
        make_alert(connection)
    assert send_due(toy_province, sender_of(Settings(_env_file=None))) == 1
    error = "this service has no channel file: subscribe by mail or webhook or http"
    assert (only(toy_province).dead, only(toy_province).error) == (1, error)
