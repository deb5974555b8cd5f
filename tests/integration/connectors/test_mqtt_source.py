"""A layer fed by MQTT: a message is acknowledged when its row is committed, and not before."""

import json

import pytest
from sqlalchemy import text

from gis.errors import SourceUnavailable
from layers.definition.model import Layer
from layers.sources import run as runs
from layers.sources.run import run_source
from tests.intake_layers import layer_of
from tests.integration.connectors.broker import Broker
from tests.integration.connectors.faulty import surroundings
from tests.source_layers import FIELDS, levels, publish


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.kill()


def mqtt_layer(broker) -> Layer:
    source = {
        "connector": "mqtt",
        "read": {
            "host": "127.0.0.1", "port": broker.port, "client": "gis-test", "topics": ["mua/+"],
            "listen_s": 0.8,
        },
        "key": "payload.code",
        "coordinates": {"x": "payload.lon", "y": "payload.lat"},
        "map": {"level": {"from": "payload.mm"}, "name": {"from": "topic"}},
    }  # fmt: skip
    made = layer_of(source, FIELDS).model_dump(mode="json")
    return Layer.model_validate(made | {"id": "mz", "access": {"read": "public"}})


def message(number: int, depth: float) -> str:
    return json.dumps({"code": f"S{number}", "lon": 104.11, "lat": 22.05, "mm": depth})


def test_messages_become_rows_once_even_if_a_batch_could_not_be_stored(
    toy_province, broker, monkeypatch
):
    layer = mqtt_layer(broker)
    publish(toy_province, layer)
    assert run_source(toy_province, layer, surroundings()).state == "complete"
    broker.publish("mua/sa-pa", message(1, 3.5), message(2, 4.5), "garbage")

    def dies(*_: object) -> None:
        raise SourceUnavailable("the process died before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "_store", dies)
        assert run_source(toy_province, layer, surroundings()).state == "failed"
    report = run_source(toy_province, layer, surroundings())
    assert (report.state, report.added, report.failed) == ("complete", 2, 1)
    assert levels(toy_province) == {"S1": 3.5, "S2": 4.5}
    assert run_source(toy_province, layer, surroundings()).batches == 0
    broker.publish("mua/sa-pa", message(2, 9))
    assert run_source(toy_province, layer, surroundings()).updated == 1
    with toy_province.writing() as connection:
        waiting = connection.scalar(text("SELECT count(*) FROM gis.quarantine"))
    assert waiting == 1
