"""Simulated feeds of departments, in the shapes and with the names of the fields of real ones."""

import base64
import html
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from xml.sax.saxutils import escape

from api.demo_sources.server import DemoAnswer, DemoPage, DemoRequest, json_answer
from gis.clock import HERE

KEY = "demo-key"  # of the keyed variant of the rain stations
CLIENT, CLIENT_SECRET = "demo-client", "demo-secret"  # of the provincial bus
SIMULATED = "mô phỏng / simulated"

# Name, commune, longitude, latitude.
PLACES = (
    ("Sa Pa", "Phường Sa Pa", 103.8440, 22.3364),
    ("Bát Xát", "Xã Bát Xát", 103.8600, 22.5300),
    ("Bảo Yên", "Xã Bảo Yên", 104.4830, 22.2340),
    ("Xuân Hòa", "Xã Xuân Hòa", 104.5200, 22.2900),
    ("Bắc Hà", "Xã Bắc Hà", 104.2917, 22.5386),
    ("Văn Bàn", "Xã Văn Bàn", 104.2460, 22.0870),
    ("Cam Đường", "Phường Cam Đường", 104.0050, 22.4250),
    ("Lục Yên", "Xã Lục Yên", 104.7660, 22.1110),
    ("Yên Bái", "Phường Yên Bái", 104.8990, 21.7050),
    ("Nghĩa Lộ", "Phường Trung Tâm", 104.5120, 21.6020),
)
_GATES = (
    ("Lào Cai", 103.9660, 22.5060),
    ("Kim Thành", 103.9080, 22.5250),
    ("Mường Khương", 104.1020, 22.7790),
    ("Bản Vược", 103.7960, 22.6170),
)
_RISKS = ("Trung bình", "Cao", "Rất cao")
_INCIDENT_EVERY_S = 300
_ATTENDED_AFTER_S = 900
_PERMIT_EVERY_S = 600
_COLOURS = ("#99ccff", "#ffff66", "#ff9933", "#cc0000")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class DemoFeeds:
    """All feeds by their paths; what they say follows from `now` alone.

    Beside the `permits` of the past, one is issued each ten minutes from the hour `since` on.
    """

    now: Callable[[], datetime] = now
    since: datetime | None = None
    permits: int = 60
    token_life_s: int = 3_600
    tokens: set[str] = field(default_factory=set)

    def pages(self) -> dict[str, DemoPage]:
        return {
            "/rain": self.rain,
            "/rain-api/stations": self.keyed_stations,
            "/rain-api/stations/stats": self.keyed_stats,
            "/water/levels": self.water_levels,
            "/water/detail": self.water_detail,
            "/warnings": self.warnings,
            "/reservoirs": self.reservoirs,
            "/reservoirs.html": self.reservoir_table,
            "/border-gates": self.border_gates,
            "/fire-points": self.fire_points,
            "/traffic": self.traffic,
            "/lgsp/token": self.token,
            "/lgsp/permits": self.permit_page,
        }

    def rain(self, request: DemoRequest) -> DemoAnswer:
        """Stations with the rain of their day, which begins at 19:00."""
        records = []
        for number, (name, commune, _, _) in enumerate(PLACES, start=1):
            depth = self._depth(number)
            level = sum(depth >= bound for bound in (16, 50, 100))
            station = {
                "uuid": f"00000000-0000-4000-8000-{number:012d}",
                "name": name,
                "address": f"{commune}, tỉnh Lào Cai",
                "area": commune,
            }
            records.append(
                {
                    "station": station,
                    "sumDepth": depth,
                    "level": level,
                    "colour": _COLOURS[level],
                    "note": SIMULATED,
                }
            )
        return json_answer(records)

    def keyed_stations(self, request: DemoRequest) -> DemoAnswer:
        """The same stations, for a key."""
        if request.headers.get("x-api-key") != KEY:
            return json_answer({"message": "Unauthorized"}, 401)
        return json_answer(
            {
                "data": [
                    {"id": number, "name": name, "lon": lon, "lat": lat, "note": SIMULATED}
                    for number, (name, _, lon, lat) in enumerate(PLACES, start=1)
                ]
            }
        )

    def keyed_stats(self, request: DemoRequest) -> DemoAnswer:
        if request.headers.get("x-api-key") != KEY:
            return json_answer({"message": "Unauthorized"}, 401)
        hour = self._hour().isoformat()
        stats = {
            str(number): {
                "id": number,
                "time": hour,
                "depth": self._depth(number),
                "note": SIMULATED,
            }
            for number in range(1, len(PLACES) + 1)
        }
        return json_answer({"data": stats, "note": SIMULATED})

    def water_levels(self, request: DemoRequest) -> DemoAnswer:
        """Points whose values are within the HTML of a pop-up; a property is misspelt, as it is."""
        features = []
        for number, (name, _, lon, lat) in enumerate(PLACES[:5], start=1):
            rows = {"Trạm": name, "Mực nước": f"{self._level(number):.2f} m", "Nguồn": SIMULATED}
            popup = "".join(
                f"<tr><td><b>{html.escape(k)}</b></td><td>{html.escape(v)}</td></tr>"
                for k, v in rows.items()
            )
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [lon, lat]},
                    "properties": {
                        "stationId": number,
                        "longtitude": str(lon),
                        "latitude": str(lat),
                        "popupInfo": f"<table>{popup}</table>",
                    },
                }
            )
        return json_answer({"type": "FeatureCollection", "features": features})

    def water_detail(self, request: DemoRequest) -> DemoAnswer:
        """The last hours of a station, as texts joined by commas."""
        number = request.form.get("stationId", "")
        if request.method != "POST" or not number.isdecimal():
            return json_answer({"message": "stationId?"}, 400)
        hours = [self._hour() - timedelta(hours=back) for back in range(5, -1, -1)]
        return json_answer(
            {
                "labels": ",".join(f"{hour:%H:%M %d/%m/%Y}" for hour in hours),
                "values": ",".join(f"{self._level(int(number), h):.2f}" for h in hours),
                "bao_dong1": "80.00",
                "bao_dong2": "82.00",
                "bao_dong3": "83.50",
                "ghi_chu": SIMULATED,
            }
        )

    def warnings(self, request: DemoRequest) -> DemoAnswer:
        """Warnings of flash floods and landslides for a form; units of both eras, .NET dates."""
        try:
            hours = int(request.form["sogiodubao"])
            start = datetime.strptime(request.form["date"], "%Y-%m-%d %H:00:00")
        except (KeyError, ValueError):
            return json_answer({"message": "sogiodubao, date?"}, 400)
        moment = int(start.replace(tzinfo=HERE).timestamp() * 1000)
        draw = Random(f"{self._hour()}")
        records = []
        for number, (name, commune, lon, lat) in enumerate(PLACES, start=1):
            if draw.random() < 0.4:
                continue
            records.append(
                {
                    "commune_id": 9000 + number,
                    "commune_name": f"P. {name}" if commune.startswith("P") else f"X. {name}",
                    "district_name": name,
                    "provinceName": "Yên Bái" if lat < 21.9 else "Lào Cai",
                    "commune_id_2cap": 500 + number,
                    "commune_name_2cap": commune.replace("Phường", "P."),
                    "provinceName_2cap": "Lào Cai",
                    "lat": lat,
                    "lon": lon,
                    "thoigian": f"/Date({moment})/",
                    "sogiodubao": hours,
                    "luongmuatd": round(draw.uniform(20, 160), 1),
                    "nguycosatlo": draw.choice(_RISKS),
                    "nguycoluquet": draw.choice(_RISKS),
                    "ghichu": SIMULATED,
                }
            )
        return json_answer(records)

    def reservoirs(self, request: DemoRequest) -> DemoAnswer:
        return json_answer({"Data": self._reservoirs(), "IsSuccess": True})

    def reservoir_table(self, request: DemoRequest) -> DemoAnswer:
        """The same as a page of HTML."""
        records = self._reservoirs()
        head = "".join(f"<th>{name}</th>" for name in records[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(v))}</td>" for v in record.values()) + "</tr>"
            for record in records
        )
        page = f"<!doctype html><html><body><table><tr>{head}</tr>{body}</table></body></html>"
        return DemoAnswer(page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    def border_gates(self, request: DemoRequest) -> DemoAnswer:
        """Vehicles at the gates of the border, as XML with local times."""
        draw = Random(self._hour().isoformat())
        gates = "".join(
            f'<CuaKhau ma="{number}"><Ten>{escape(name)}</Ten>'
            f"<KinhDo>{lon}</KinhDo><ViDo>{lat}</ViDo>"
            f"<ThoiGian>{self._hour():%d/%m/%Y %H:%M:%S}</ThoiGian>"
            f"<XeCho>{draw.randrange(200)}</XeCho><XeVao>{draw.randrange(300)}</XeVao>"
            f"<XeRa>{draw.randrange(300)}</XeRa><GhiChu>{escape(SIMULATED)}</GhiChu></CuaKhau>"
            for number, (name, lon, lat) in enumerate(_GATES, start=1)
        )
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?><KetQua><DanhSach>{gates}</DanhSach></KetQua>'
        )
        return DemoAnswer(text.encode(), headers={"Content-Type": "application/xml"})

    def fire_points(self, request: DemoRequest) -> DemoAnswer:
        """Hot points that a satellite saw today, as CSV; days without any have a header alone."""
        day = self.now().astimezone(HERE).date()
        draw = Random(day.isoformat())
        lines = ["id,latitude,longitude,acq_date,acq_time,confidence,frp,note"]
        for number in range(draw.randrange(1, 12)):
            _, _, lon, lat = draw.choice(PLACES)
            lines.append(
                f"{day:%Y%m%d}-{number},{lat + draw.uniform(-0.02, 0.02):.5f},"
                f"{lon + draw.uniform(-0.02, 0.02):.5f},{day},{draw.randrange(24):02d}30,"
                f"{draw.choice('lnh')},{draw.uniform(1, 60):.1f},{SIMULATED}"
            )
        body = "\r\n".join([*lines, ""]).encode()
        return DemoAnswer(body, headers={"Content-Type": "text/csv; charset=utf-8"})

    def traffic(self, request: DemoRequest) -> DemoAnswer:
        """The last traffic incidents, by offset and limit; each five minutes one is new."""
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 20))
        newest = int(self.now().timestamp()) // _INCIDENT_EVERY_S
        incidents = [self._incident(number) for number in range(newest, newest - 40, -1)]
        page = incidents[offset : offset + limit]
        return json_answer({"total": len(incidents), "items": page})

    def token(self, request: DemoRequest) -> DemoAnswer:
        """Tokens of the provincial bus, for the credentials of a client in a form or by Basic."""
        header = request.headers.get("authorization", "")
        given = (request.form.get("client_id"), request.form.get("client_secret"))
        if header.startswith("Basic "):
            user, _, word = base64.b64decode(header[6:]).decode().partition(":")
            given = (user, word)
        if request.form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        if given != (CLIENT, CLIENT_SECRET):
            return json_answer({"error": "invalid_client"}, 401)
        token = f"token-{len(self.tokens) + 1}-{Random(len(self.tokens)).randrange(10**9)}"
        self.tokens.add(token)
        return json_answer(
            {"access_token": token, "token_type": "Bearer", "expires_in": self.token_life_s}
        )

    def permit_page(self, request: DemoRequest) -> DemoAnswer:
        """Construction permits, by page and time of change; a later one replaces an earlier."""
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return json_answer({"fault": {"code": 900901, "message": "Invalid Credentials"}}, 401)
        size, page = int(request.query.get("size", 20)), int(request.query.get("page", 1))
        since = request.query.get("updatedAfter", "")
        permits = [
            permit
            for permit in (*map(self._permit, range(self.permits)), *self._new_permits())
            if permit["ngayCapNhat"] >= since
        ]
        here = permits[(page - 1) * size : page * size]
        return json_answer({"code": 200, "data": {"content": here, "totalElements": len(permits)}})

    def _hour(self) -> datetime:
        return self.now().astimezone(HERE).replace(minute=0, second=0, microsecond=0)

    def _depth(self, number: int) -> float:
        return round(Random(f"{self._hour()} {number}").expovariate(1 / 18), 1)

    def _level(self, number: int, hour: datetime | None = None) -> float:
        """A level (m) that rises and falls within three days, now and then above BĐ1 or BĐ2."""
        moment = hour or self._hour()
        phase = moment.timestamp() / (36 * 3_600) + number / 5
        noise = Random(f"{moment} {number}").uniform(-0.1, 0.1)
        return 79.3 + 2.8 * math.sin(2 * math.pi * phase) * math.sin(phase / 3) + noise

    def _reservoirs(self) -> list[Mapping[str, Any]]:
        draw = Random(self._hour().isoformat())
        return [
            {
                "LakeCode": f"LC{number:02d}",
                "LakeName": f"Hồ {name}",
                "ThoiGian": f"{self._hour():%Y-%m-%dT%H:%M:%S}",
                "TdMucNuoc": round(draw.uniform(90, 120), 2),
                "TdDungTich": round(draw.uniform(1, 30), 2),
                "QDen": round(draw.uniform(0, 90), 1),
                "QXa": round(draw.uniform(0, 60), 1),
                "XuThe": draw.choice(("tăng", "giảm", "không đổi")),
                "GhiChu": SIMULATED,
            }
            for number, (name, *_) in enumerate(PLACES[:4], start=1)
        ]

    def _incident(self, number: int) -> Mapping[str, Any]:
        """An incident by its number since 1970; what is said of it is corrected after a while."""
        draw = Random(number)
        name, commune, lon, lat = draw.choice(PLACES)
        north, east = draw.uniform(-0.02, 0.02), draw.uniform(-0.02, 0.02)
        begun_s = number * _INCIDENT_EVERY_S
        is_attended = self.now().timestamp() - begun_s > _ATTENDED_AFTER_S
        words = ", lực lượng chức năng đã có mặt" if is_attended else ""
        return {
            "id": f"GT-{number}",
            "loai": draw.choice(("tai nạn", "sạt lở đường", "ùn tắc", "xe hỏng")),
            "mo_ta": f"Tại {name}{words} ({SIMULATED})",
            "xa": commune,
            "toa_do": f"{lat + north:.5f},{lon + east:.5f}",
            "thoi_gian_ms": begun_s * 1000,
        }

    def _permit(self, number: int) -> Mapping[str, Any]:
        changed = datetime(2025, 7, 1, tzinfo=HERE) + timedelta(days=number)
        return self._permit_of(number, changed)

    def _new_permits(self) -> list[Mapping[str, Any]]:
        """Those that were issued since `since`, by their number since 1970."""
        if self.since is None:
            return []
        first = int(self.since.timestamp()) // _PERMIT_EVERY_S + 1
        last = int(self.now().timestamp()) // _PERMIT_EVERY_S
        return [
            self._permit_of(number, datetime.fromtimestamp(number * _PERMIT_EVERY_S, HERE))
            for number in range(first, last + 1)
        ]

    def _permit_of(self, number: int, changed: datetime) -> Mapping[str, Any]:
        """Each seventh permit is a change of the one before it, which it supersedes."""
        draw = Random(number)
        name, commune, lon, lat = draw.choice(PLACES)
        return {
            "soGiayPhep": f"{number:04d}/GPXD",
            "thayThe": f"{number - 1:04d}/GPXD" if number % 7 == 6 else None,
            "chuDauTu": f"Hộ gia đình {number} ({SIMULATED})",
            "ghiChu": SIMULATED,
            "diaChi": f"{name}, {commune}",
            "viTri": {"lat": lat, "lon": lon},
            "ngayCap": f"{changed:%d/%m/%Y}",
            "ngayCapNhat": f"{changed:%Y-%m-%dT%H:%M:%S}",
        }
