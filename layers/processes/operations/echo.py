"""Echo: gives back what it is given, so that clients can try how they speak."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from layers.definition.model import LocalizedText
from layers.processes.context import Context
from layers.processes.process import Parameters, Process, Value, parameter


class EchoParameters(Parameters):
    """Any of them, given back under the same name."""

    text: str | None = parameter(None, "Chữ", "Text", max_length=10_000)
    number: float | None = parameter(None, "Số", "Number")
    numbers: list[float] | None = parameter(None, "Các số", "Numbers", max_length=1_000)
    document: dict[str, Any] | None = parameter(None, "Đối tượng JSON", "JSON object")
    bbox: tuple[float, float, float, float] | None = Field(
        None,
        title="West, south, east, north",
        json_schema_extra={"title_vi": "Tây, nam, đông, bắc", "allOf": [{"format": "ogc-bbox"}]},
    )
    pause_s: float = parameter(0, "Chờ (giây)", "Pause (seconds)", ge=0, le=30)


class Echo(Process[EchoParameters]):
    """Gives back its inputs, after a pause where one is asked for."""

    name = "echo"
    title = LocalizedText(vi="Tiếng vọng", en="Echo")
    description = LocalizedText(
        vi="Trả lại đúng những gì được gửi; để thử phần mềm.",
        en="Gives back what it is given, for trying out clients.",
    )
    parameters = EchoParameters
    is_light = False  # a pause would hold a thread
    outputs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "numbers": {"type": "array", "items": {"type": "number"}},
        "document": {"type": "object"},
        "bbox": {"type": "array", "items": {"type": "number"}},
    }
    examples = ({"text": "xin chào"},)

    def run(self, context: Context, parameters: EchoParameters) -> Value:
        context.report(0.0, "pausing")
        time.sleep(parameters.pause_s)
        given = parameters.model_dump(mode="json", exclude={"pause_s"}, exclude_none=True)
        return Value(given)
