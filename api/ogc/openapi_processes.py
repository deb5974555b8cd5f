"""Operations of OGC API Processes in the API definition, from the parameter models."""

from typing import Any

from api.ogc.processes_documents import inputs_of
from layers.processes.operations import PROCESSES
from layers.processes.process import Process


def process_paths(language: str) -> dict[str, Any]:
    """The list, the description and the execution of each process, and the jobs."""
    paths: dict[str, Any] = {
        "/processes": {"get": _read("getProcesses", "Processes")},
        "/jobs": {"get": _read("getJobs", "Jobs of the caller")},
        "/jobs/{jobId}": {
            "get": _read("getStatus", "Status of a job", of_job=True),
            "patch": _keep(),
            "delete": _read("dismiss", "Dismiss a job", of_job=True),
        },
        "/jobs/{jobId}/results": {"get": _read("getResult", "Result of a job", of_job=True)},
        "/jobs/{jobId}/log": {"get": _read("getLog", "Log of a job", of_job=True)},
    }
    for process in PROCESSES.values():
        path = f"/processes/{process.name}"
        title = getattr(process.title, language)
        paths[path] = {"get": _read(f"getProcess_{process.name}", title)}
        paths[f"{path}/execution"] = {"post": _execution(process, title, language)}
    return paths


def job_parameter() -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid"}
    return {"jobId": {"name": "jobId", "in": "path", "required": True, "schema": schema}}


def _read(name: str, summary: str, *, of_job: bool = False) -> dict[str, Any]:
    parameters = [{"$ref": "#/components/parameters/jobId"}] if of_job else []
    return {
        "summary": summary,
        "operationId": name,
        "parameters": parameters,
        "responses": {
            "200": {"$ref": "#/components/responses/Document"},
            **_problems("400", "404"),
        },
    }


def _keep() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"keep": {"type": "boolean"}}, "required": ["keep"]}
    return {
        **_read("keepResult", "Keep a result, or let it expire", of_job=True),
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
    }


def _execution(process: Process[Any], title: str, language: str) -> dict[str, Any]:
    inputs = inputs_of(process, language)
    required = [name for name, given in inputs.items() if given["minOccurs"]]
    schema = {
        "type": "object",
        "properties": {
            "inputs": {
                "type": "object",
                "properties": {name: _in_3_0(given["schema"]) for name, given in inputs.items()},
                **({"required": required} if required else {}),  # an empty list is none
            },
            "response": {"type": "string", "enum": ["raw", "document"], "default": "raw"},
            "outputs": {"type": "object"},
        },
    }
    prefer = {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "respond-async: answered at once, with the address of a job",
        "schema": {"type": "string"},
    }
    return {
        "summary": title,
        "operationId": f"execute_{process.name}",
        "parameters": [prefer],
        "requestBody": {"required": True, "content": {"application/json": {
            "schema": schema, "examples": {str(number): {"value": {"inputs": dict(each)}}
                                           for number, each in enumerate(process.examples, 1)},
        }}},
        "responses": {
            "200": {"$ref": "#/components/responses/Document"},
            "201": {"$ref": "#/components/responses/Document"},
            **_problems("400", "404", "429", "503"),
        },
    }  # fmt: skip


def _in_3_0(schema: Any) -> Any:
    """A JSON Schema of today in the words of OpenAPI 3.0: bounds that are excluded are a minimum
    and a flag, null is a flag, a constant is the one value of a list.
    """
    if isinstance(schema, list):
        return [_in_3_0(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _in_3_0(value) for name, value in schema.items()}
    for bound, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if not isinstance(made.get(flag, True), bool):
            made |= {bound: made[flag], flag: True}
    if "const" in made:
        made["enum"] = [made.pop("const")]
    for choice in ("anyOf", "oneOf"):
        if {"type": "null"} in made.get(choice, ()):
            made[choice] = [each for each in made[choice] if each != {"type": "null"}]
            made["nullable"] = True
    return made


def _problems(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": "#/components/responses/Problem"} for status in statuses}
