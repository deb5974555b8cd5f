"""Alerts and subscriptions for the tests of delivery, written as the parts of the service do."""

from typing import Any

from sqlalchemy import Connection, text

from gis.alerts.store import record_event
from gis.database.engine import Database
from gis.notify.cap.approval import publish_at_once

SQUARE = "MULTIPOLYGON(((104.1 22.0, 104.2 22.0, 104.2 22.1, 104.1 22.1, 104.1 22.0)))"
_ALERT = text("""
INSERT INTO gis.alert (layer_id, rule, status, severity, headline_vi, headline_en, cells, communes,
                       geom, official, simulated, key, evidence)
VALUES (:layer_id, 'hotspot', :status, :severity, :headline_vi, :headline_en, :cells, :communes,
        ST_GeomFromText(:wkt, 4326), :official, :simulated, :key, '{}') RETURNING id
""")
_SUBSCRIPTION = text("""
INSERT INTO gis.subscription (name, channel, target, language, layers, communes, least_severity,
                              simulated, only_named, by_admin, created_by)
VALUES (:name, :channel, :target, :language, :layers, :communes, :least_severity, :simulated,
        :only_named, :by_admin, 'tests') RETURNING id
""")


def make_alert(connection: Connection, **changes: Any) -> int:
    """An open alert in the second of the toy province's communes, and its event."""
    values = {
        "layer_id": "citizen_reports",
        "status": "open",
        "severity": "alert",
        "headline_vi": "Phản ánh: 12 báo cáo",
        "headline_en": "Reports: 12 reports",
        "cells": [0x8841A6A6A7FFFFF],
        "communes": ["00004"],
        "wkt": SQUARE,
        "official": True,
        "simulated": True,
        "key": None,
    } | changes
    alert_id: int = connection.execute(_ALERT, values).scalar_one()
    step(connection, alert_id, str(values["status"]))
    return alert_id


def open_to_all(database: Database) -> None:
    """Every alert is published as it opens, for tests of what everybody then sees."""
    with database.writing() as connection:
        publish_at_once(connection, "all")


def step(connection: Connection, alert_id: int, act: str) -> None:
    record_event(connection, alert_id, "service", act, "")


def subscribe(connection: Connection, name: str, **changes: Any) -> int:
    """A subscription to everything, simulated alerts too, unless told otherwise."""
    values = {
        "name": name,
        "channel": "webhook",
        "target": "http://127.0.0.1:9/",
        "language": "vi",
        "layers": [],
        "communes": [],
        "least_severity": "watch",
        "simulated": True,
        "only_named": False,
        "by_admin": False,
    } | changes
    subscription_id: int = connection.execute(_SUBSCRIPTION, values).scalar_one()
    return subscription_id
