"""MQTT by a real mosquitto: nothing is acknowledged before it is stored, and nothing is lost."""

import json
import logging
import signal
import time

import pytest

from gis.connectors.mqtt import MqttConnector
from gis.egress import EgressPolicy
from gis.errors import SourceRefused, SourceUnavailable
from tests.integration.connectors.broker import Broker
from tests.integration.connectors.faulty import connector, surroundings

SENTINEL = "s3ntinel-of-a-secret"
TOPIC = "lao-cai/mua/sa-pa"


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.kill()


def reader(broker, around=None, **options):
    usual = {
        "host": "127.0.0.1", "port": broker.port, "client": "gis-test", "topics": ["lao-cai/#"],
        "listen_s": 1.0,
    }  # fmt: skip
    return connector("mqtt", around or surroundings(), **(usual | options))


def listen(source, *, stores=True):
    """The records of a reading, each batch acknowledged once it is stored."""
    records = []
    try:
        for batch in source.read({}):
            assert not batch.ends_whole
            records += batch.records
            if not stores:
                break  # the process dies
            source.acknowledge(batch.cursor)
    finally:
        source.close()
    return records


def depths(records):
    return [record["payload"]["mm"] for record in records]


def messages(numbers):
    return [json.dumps({"mm": number, "ghi_chu": "mô phỏng"}) for number in numbers]


def test_what_comes_between_two_readings_is_kept_by_the_broker(broker):
    assert listen(reader(broker)) == []
    broker.publish(TOPIC, *messages(range(50)))
    records = listen(reader(broker))
    assert depths(records) == list(range(50))
    assert {record["topic"] for record in records} == {TOPIC}
    assert not any(record["retained"] or record["duplicate"] for record in records)
    assert listen(reader(broker, listen_s=0.4)) == []


def test_what_was_read_and_not_stored_comes_again_and_says_so(broker):
    listen(reader(broker, listen_s=0.2))
    broker.publish(TOPIC, *messages(range(5)))
    lost = listen(reader(broker), stores=False)
    again = listen(reader(broker))
    assert depths(lost) == depths(again) == list(range(5))
    assert all(record["duplicate"] for record in again)
    assert listen(reader(broker, listen_s=0.4)) == []


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_broker_that_dies_keeps_what_was_not_stored(broker, sign):
    listen(reader(broker, listen_s=0.2))
    broker.publish(TOPIC, *messages(range(3)))
    source = reader(broker, listen_s=5)
    batches = source.read({})
    assert depths(next(batches).records) == [0, 1, 2]
    if sign == signal.SIGKILL:
        time.sleep(1.5)  # it stores its sessions each second
    broker.kill(sign)
    with pytest.raises(SourceUnavailable, match="ended the connection"):
        next(batches)
    source.acknowledge({"batch": 1})  # to a connection that is gone: nothing is lost by it
    source.close()
    broker.start()
    assert depths(listen(reader(broker))) == [0, 1, 2]


def test_a_retained_message_says_that_it_may_be_old(broker):
    broker.publish(TOPIC, *messages([7]), retain=True)
    (record,) = listen(reader(broker))
    assert record["retained"]


def test_a_payload_that_is_no_json_does_not_stop_the_others(broker):
    listen(reader(broker, listen_s=0.2))
    broker.publish(TOPIC, '{"mm": 1}', "mm=2", b"\xff\xfe", '{"mm": 3}')
    records = listen(reader(broker))
    assert [record.get("fault") for record in records] == [
        None, "the payload is no JSON", "the payload is no text in UTF-8", None
    ]  # fmt: skip
    assert records[1]["text"] == "mm=2"
    assert listen(reader(broker, listen_s=0.4)) == []


def test_payloads_may_be_plain_text(broker):
    listen(reader(broker, listen_s=0.2))
    broker.publish(TOPIC, "12,5")
    (record,) = listen(reader(broker, format="text"))
    assert record["payload"] == "12,5"


def test_batches_have_at_most_so_many_messages(broker):
    listen(reader(broker, listen_s=0.2))
    broker.publish(TOPIC, *messages(range(25)))
    source = reader(broker, batch=10)
    sizes = []
    for batch in source.read({}):
        sizes.append(len(batch.records))
        source.acknowledge(batch.cursor)
    source.close()
    assert sum(sizes) == 25
    assert max(sizes) <= 10


def test_a_wrong_secret_is_refused_and_shown_nowhere(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    guarded = Broker(tmp_path, SENTINEL)
    try:
        login = {"user": "tram", "password": "{secret:M}"}
        wrong = reader(guarded, surroundings({"M": SENTINEL + "-old"}), **login)
        with pytest.raises(SourceRefused, match="renew the login") as caught:
            listen(wrong)
        assert SENTINEL not in f"{caught.value!r} {caplog.text} {wrong.options!r}"
        assert listen(reader(guarded, surroundings({"M": SENTINEL}), listen_s=0.3, **login)) == []
        assert SENTINEL not in caplog.text
    finally:
        guarded.kill()


def test_a_broker_that_is_not_there_or_stands_still_may_work_later(broker):
    around = surroundings(timeout_s=0.5)
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        listen(reader(broker, around, port=1))
    broker.freeze()
    with pytest.raises(SourceUnavailable, match="too slow"):
        listen(reader(broker, around))


def test_an_inner_address_that_is_not_allowed_is_not_reached(broker):
    usual = surroundings()
    strict = type(usual)(usual.secrets, EgressPolicy((), "GIS_SOURCE_NETWORKS"))
    with pytest.raises(SourceRefused, match="GIS_SOURCE_NETWORKS"):
        listen(reader(broker, strict))


@pytest.mark.parametrize("topic", ["", "a/#/b", "a+/b", "a#"])
def test_a_topic_that_is_none_is_refused(topic):
    with pytest.raises(ValueError):
        MqttConnector.Options.model_validate({"host": "h", "client": "c", "topics": [topic]})
