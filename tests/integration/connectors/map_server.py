"""MapServer, run as a CGI program: a real WFS of communes with Vietnamese names."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from api.demo_sources.server import DemoAnswer, DemoPage, DemoRequest

PROGRAM = Path("/usr/lib/cgi-bin/mapserv")
NAMES = ("Phường Sa Pa", "Xã Bát Xát", "Xã Bảo Yên", "Xã Phúc Khánh", "Xã Bắc Hà", "Xã Văn Bàn")


def write_map(folder: Path, *, formats: str = "", most: int = 0, projection: str = "4326") -> Path:
    """A map file over a file of points; `formats` besides GML, `most` features of an answer."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [103.5 + n / 10, 22.0 + n / 20]},
            "properties": {"ma": f"{n:05d}", "ten": name, "dan_so": 1_000 + n},
        }
        for n, name in enumerate(NAMES)
    ]
    data = folder / "communes.geojson"
    data.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    path = folder / "communes.map"
    (folder / "mapserver.conf").write_text(f'CONFIG\nMAPS\nmap "{path}"\nEND\nEND\n')
    path.write_text(f"""
        MAP
          NAME "test"
          EXTENT 103 21 106 23
          PROJECTION "init=epsg:{projection}" END
          WEB METADATA
            "wfs_title" "test"
            "wfs_onlineresource" "http://127.0.0.1/wfs?"
            "wfs_srs" "EPSG:{projection}"
            "wfs_enable_request" "*"
            {f'"wfs_maxfeatures" "{most}"' if most else ""}
          END END
          OUTPUTFORMAT
            NAME "geojson" DRIVER "OGR/GEOJSON" MIMETYPE "application/json; subtype=geojson"
            FORMATOPTION "STORAGE=stream" FORMATOPTION "FORM=SIMPLE"
          END
          LAYER
            NAME "communes" TYPE POINT STATUS ON
            CONNECTIONTYPE OGR CONNECTION "{data}" DATA "communes"
            PROJECTION "init=epsg:4326" END
            METADATA
              "wfs_title" "communes" "wfs_featureid" "ma" "gml_include_items" "all"
              "gml_types" "auto" "wfs_extent" "103 21 106 23"
              {f'"wfs_getfeature_formatlist" "{formats}"' if formats else ""}
            END
          END
        END
        """)
    return path


def map_server(path: Path) -> DemoPage:
    """A page that runs MapServer for each request."""

    def answer(request: DemoRequest) -> DemoAnswer:
        environment = {
            "PATH": os.environ["PATH"],
            "REQUEST_METHOD": "GET",
            "MAPSERVER_CONFIG_FILE": str(path.with_name("mapserver.conf")),
            "QUERY_STRING": urlencode({"map": "map", **request.query}),
            "SERVER_NAME": "127.0.0.1",
            "SCRIPT_NAME": "/wfs",
        }
        done = subprocess.run([PROGRAM], env=environment, capture_output=True, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode().splitlines() if ":" in line)
        headers = {name.strip(): value.strip() for name, _, value in lines}
        status = int(headers.pop("Status", "200").split()[0])
        return DemoAnswer(body, status, headers)

    return answer
