"""Documents of OGC API Processes: descriptions, status, and requests that can be copied."""

import shlex
from collections.abc import Mapping
from typing import Any

import orjson

from api.ogc.negotiation import Negotiation
from layers.processes.description import command_of
from layers.processes.operations import PROCESSES
from layers.processes.process import NAMED_ALONE, Process
from layers.processes.runs import ProcessRun, StoredResult

REL = "http://www.opengis.net/def/rel/ogc/1.0"
GEOJSON, JSON = "application/geo+json", "application/json"
VERSION = "1.0.0"
CONFORMANCE = tuple(
    f"http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/{name}"
    for name in ("core", "json", "oas30", "ogc-process-description", "job-list", "dismiss")
)
_COLLECTION = {
    "type": "object",
    "format": "geojson-feature-collection",
    "contentMediaType": GEOJSON,
}


def landing_links(negotiation: Negotiation) -> list[dict[str, str]]:
    vi = negotiation.language == "vi"
    return [
        _link(
            negotiation, f"{REL}/processes", "/processes", "Các quy trình" if vi else "Processes"
        ),
        _link(negotiation, f"{REL}/job-list", "/jobs", "Các công việc" if vi else "Jobs"),
    ]


def process_list(negotiation: Negotiation, limit: int, offset: int = 0) -> dict[str, Any]:
    shown = list(PROCESSES.values())[offset : offset + limit]
    links = [_link(negotiation, "self", "/processes", "")]
    if offset + limit < len(PROCESSES):
        following = f"/processes?limit={limit}&offset={offset + limit}"
        links.append(_link(negotiation, "next", following, ""))
    return {"processes": [summary(each, negotiation) for each in shown], "links": links}


def summary(process: Process[Any], negotiation: Negotiation) -> dict[str, Any]:
    path = f"/processes/{process.name}"
    return {
        "id": process.name,
        "version": VERSION,
        "title": getattr(process.title, negotiation.language),
        "description": getattr(process.description, negotiation.language),
        "jobControlOptions": ["sync-execute", "async-execute", "dismiss"],
        "outputTransmission": ["value", "reference"],
        "links": [
            _link(negotiation, "self", path, ""),
            _link(negotiation, f"{REL}/execute", f"{path}/execution", ""),
            _link(negotiation, f"{REL}/job-list", "/jobs", ""),
        ],
    }


def description(process: Process[Any], negotiation: Negotiation) -> dict[str, Any]:
    outputs = {"result": _COLLECTION} if process.outputs is None else process.outputs
    title = "Kết quả" if negotiation.language == "vi" else "Result"
    return {
        **summary(process, negotiation),
        "inputs": inputs_of(process, negotiation.language),
        "outputs": {
            name: {"title": title if process.outputs is None else name, "schema": schema}
            for name, schema in outputs.items()
        },
        "examples": list(process.examples),
        "light": process.is_light,  # it may be waited for
    }


def inputs_of(process: Process[Any], language: str) -> dict[str, Any]:
    """The parameters of a process as OGC inputs, with a JSON Schema that is whole in itself."""
    schema = process.parameters.model_json_schema()
    required = schema.get("required", ())
    parts = schema.get("$defs", {})
    return {
        name: {
            "title": _title(own, language) or name,
            "minOccurs": int(name in required),
            "maxOccurs": 1,
            "schema": _inlined(own, parts, language),
        }
        for name, own in schema["properties"].items()
    }


def _title(schema: Mapping[str, Any], language: str) -> str:
    return str(schema.get("title_vi" if language == "vi" else "title") or schema.get("title", ""))


def _inlined(schema: Any, parts: Mapping[str, Any], language: str) -> Any:
    """A schema without references, its titles in one language; a layer may be a name alone."""
    if isinstance(schema, list):
        return [_inlined(each, parts, language) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        made = _inlined({**parts[name], **rest}, parts, language)
        if name not in NAMED_ALONE:
            return made
        alone = {"type": "string", "format": NAMED_ALONE[name]}
        return {
            "oneOf": [alone, made],
            **{key: made[key] for key in ("title", "default") if key in made},
        }
    made = {
        key: _inlined(value, parts, language)
        for key, value in schema.items()
        if key not in ("title_vi", "labels_vi")
    }
    if "title_vi" in schema:
        made["title"] = _title(schema, language)
    if language == "vi" and "labels_vi" in schema:
        made["labels"] = schema["labels_vi"]
    return made


def status_document(run: ProcessRun, negotiation: Negotiation) -> dict[str, Any]:
    """Status of a job (OGC 18-062r2, 7.10)."""
    path = f"/jobs/{run.id}"
    links = [_link(negotiation, "self", path, ""), _link(negotiation, "log", f"{path}/log", "")]
    if run.status == "successful":
        links.append(_link(negotiation, f"{REL}/results", f"{path}/results", ""))
    if run.collection is not None and run.status == "successful":
        links.append(_link(negotiation, "collection", f"/collections/{run.collection}", ""))
    updated = run.ended_at or run.started_at or run.created_at
    times = {
        "created": run.created_at,
        "started": run.started_at,
        "finished": run.ended_at,
        "updated": updated,
        "expires": run.expires_at,
    }
    return {
        "jobID": str(run.id),
        "processID": run.process,
        "type": "process",
        "status": run.status,
        "message": run.message,
        "progress": round(100 * (run.progress or 0)),
        **{name: moment.isoformat() for name, moment in times.items() if moment is not None},
        "links": links,
    }


def requests_of(result: StoredResult | ProcessRun, root: str) -> dict[str, str]:
    """The request that made a result, for a terminal, for Python, and where QGIS opens it."""
    address = f"{root}/ogc/processes/{result.process}/execution"
    body = orjson.dumps({"inputs": result.inputs}).decode()
    layer_id = result.layer.id if isinstance(result, StoredResult) else result.collection
    sent = f"requests.post({address!r}, json={{'inputs': {result.inputs!r}}})"
    return {
        "curl": f"curl -X POST {shlex.quote(address)} -H 'Content-Type: application/json' "
        f"-d {shlex.quote(body)}",
        "python": f"import requests\n\n{sent}.json()",
        "command": command_of(result.process, result.inputs),
        "qgis": f"{root}/qgis/{layer_id}.qlr",
    }


def _link(negotiation: Negotiation, rel: str, path: str, title: str) -> dict[str, str]:
    named = {"title": title} if title else {}
    return {"href": f"{negotiation.base}{path}", "rel": rel, "type": JSON, **named}
