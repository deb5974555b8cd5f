"""Told steps for the tests of delivery."""

from datetime import UTC, datetime
from typing import Any

from gis.notify.notification import CommuneName, Language, Notification

SENT = datetime(2026, 3, 1, 1, 0, 0, 987_654, tzinfo=UTC)
SQUARE = [[104.1, 22.0], [104.2, 22.0], [104.2, 22.1], [104.1, 22.1], [104.1, 22.0]]
HOLE = [[104.14, 22.04], [104.16, 22.04], [104.16, 22.06], [104.14, 22.04]]


def told(**changes: Any) -> Notification:
    """A statistical alert, real and official, that nobody has approved."""
    values = {
        "seq": 7,
        "at": SENT,
        "act": "open",
        "alert_id": 3,
        "layer_id": "citizen_reports",
        "rule": "stp_scan",
        "status": "open",
        "severity": "alert",
        "title": {Language.VI: "Phản ánh của người dân", Language.EN: "Citizen reports"},
        "subject": {Language.VI: "Giao thông", Language.EN: "Traffic"},
        "headline": {
            Language.VI: "12 báo cáo trong 3 ngày, bình thường 1,1",
            Language.EN: "12 reports in 3 days, normally 1.1",
        },
        "detail": {Language.VI: "Ở xã Bãi Cát & quanh đó", Language.EN: "In <Bãi Cát> & around"},
        "places": (CommuneName("00004", "Xã Bãi Cát"),),
        "cells": (0x8841A6A6A7FFFFF,),
        "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE]]},
        "official": True,
        "simulated": False,
        "opened_at": SENT,
        "updated_at": SENT,
        "since": datetime(2026, 2, 26, tzinfo=UTC),
        "until": datetime(2026, 3, 1, tzinfo=UTC),
        "measures": {
            "llr": 12.345678,
            "p": 0.00025,
            "recurrence_days": 120.0,
            "observed": 12,
            "expected": 1.1,
            "method": "stp_scan",
            "version": "0.1.0",
        },
    }
    return Notification(**(values | changes))
