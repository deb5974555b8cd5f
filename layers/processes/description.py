"""Parameters of a process in words, for the command line and the pages of documentation."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from layers.processes.process import NAMED_ALONE, Process


def parameter_rows(process: Process[Any]) -> list[dict[str, str]]:
    """One row a parameter: name, what it takes, default, labels in Vietnamese and English."""
    schema = process.parameters.model_json_schema()
    required = schema.get("required", ())
    return [
        {
            "parameter": name,
            "takes": " or ".join(dict.fromkeys(_takes(own, schema.get("$defs", {})))),
            "default": "must be given" if name in required else _default(own),
            "vi": str(own.get("title_vi", "")),
            "en": str(own.get("title", name)),
        }
        for name, own in schema["properties"].items()
    ]


def _takes(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        yield NAMED_ALONE.get(name, "object")
        return
    if "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _takes(each, parts)
        return
    if "enum" in schema:
        yield ", ".join(map(str, schema["enum"]))
    elif schema.get("format") == "geojson-geometry":
        yield "GeoJSON geometry"
    elif schema.get("type") == "array":
        items = schema.get("items") or {}
        yield f"list of {' or '.join(_takes(items, parts))}" if items else "list"
    elif schema.get("type") not in (None, "null"):
        yield str(schema["type"])


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    if isinstance(value, dict) and "layer" in value:
        value = value["layer"]
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def command_of(process: str, inputs: Mapping[str, Any]) -> str:
    """The line of a terminal that executes a process with these inputs."""
    words = [
        f"{name}={value if isinstance(value, str) else orjson.dumps(value).decode()}"
        for name, value in inputs.items()
    ]
    return shlex.join(["gis", "process", "run", process, *words])
