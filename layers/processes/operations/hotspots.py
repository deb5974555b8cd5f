"""Hotspots, emerging hot spots and local Moran's I on any layer that has a section `hotspots`."""

from datetime import UTC, datetime
from typing import Any, Literal

from layers.definition.model import GeometryKind, LayerField, LocalizedText
from layers.processes.context import Context, field_of
from layers.processes.process import NewCollection, Parameters, Process, parameter, words


class HotspotParameters(Parameters):
    """The layer, the method, and other options than those of its file."""

    layer: str = parameter(
        "citizen_reports", "Lớp dữ liệu", "Layer", min_length=1, max_length=60,
        extra={"format": "layer"},
    )  # fmt: skip
    method: Literal["gi_star", "emerging", "local_moran"] = parameter(
        "gi_star", "Phương pháp", "Method",
        extra={"labels_vi": {"gi_star": "điểm nóng (Gi*)", "emerging": "diễn biến điểm nóng",
                             "local_moran": "giống hay khác xung quanh (Moran)"}},
    )  # fmt: skip
    resolution: int | None = parameter(None, "Độ phân giải H3", "H3 resolution", ge=5, le=10)
    window_days: int | None = parameter(None, "Số ngày", "Days that are read", ge=1, le=3660)


class HotspotMap(Process[HotspotParameters]):
    """Where it is unusual now, and over weeks, by the analysis of the service."""

    name = "hotspots"
    title = LocalizedText(vi="Điểm nóng", en="Hotspots")
    description = LocalizedText(
        vi="Nơi nhiều bất thường, tính ngay trên dữ liệu hiện có bằng các phương pháp của dịch vụ; "
        "không tạo cảnh báo. Kết quả theo lịch nằm ở các lớp hotspots, emerging, local_moran, "
        "clusters.",
        en="Where there is unusually much, computed now by the methods of the service; it raises "
        "no alert. Scheduled results are the layers hotspots, emerging, local_moran and clusters.",
    )
    parameters = HotspotParameters
    is_light = False
    reads_voices = True
    examples = ({"layer": "citizen_reports", "method": "local_moran"},)

    def run(self, context: Context, parameters: HotspotParameters) -> NewCollection:
        import shapely
        from pydantic import ValidationError

        from gis.errors import BadInput
        from gis.hexes import boundaries
        from gis.placing.reference import stored_territory
        from layers.detect.method import HexMethod, RunContext, result_layer
        from layers.detect.methods import METHODS, alarms_of
        from layers.detect.scan_cache import ScanCache
        from layers.items import source_of
        from layers.processes.process import LayerInput

        layer = context.source(LayerInput(layer=parameters.layer)).layer
        if layer.hotspots is None:
            raise BadInput(f"the layer {layer.id} has no section `hotspots` in its file")
        method = METHODS[parameters.method]
        assert isinstance(method, HexMethod)
        options = method.options_of(layer.hotspots) or method.options()
        changes = {
            name: value
            for name, value in (("resolution", parameters.resolution),
                                ("window_days", parameters.window_days))
            if value is not None
        }  # fmt: skip
        if "window_days" in changes and "window_days" not in type(options).model_fields:
            raise BadInput(f"`window_days` is not of {method.name}: it reads steps of weeks")
        try:
            options = type(options).model_validate({**dict(options), **changes})
        except ValidationError as error:
            raise BadInput(f"{parameters.method}: {error.errors()[0]['msg']}") from error
        run = RunContext(
            connection=context.connection, territory=stored_territory(context.connection),
            layer=layer, options=layer.hotspots, alarms=alarms_of(layer), until=datetime.now(UTC),
            version=context.reads[layer.id], prompt=True, scans=ScanCache(),
        )  # fmt: skip
        context.report(0.1, "reading records")
        records, frame = method.read(run, options)
        found = method.find(frame, options)
        assert method.result_layer is not None
        shown = result_layer(method.result_layer)
        known = {each.name: field_of(each) for each in source_of(shown).properties}
        fields: dict[str, LayerField] = {
            "cell": words("Ô lục giác H3", "H3 cell"),
            **{name: known[name] for name in method.compared if name in known and name != "cell"},
            "explanation_vi": words("Giải thích", "Explanation in Vietnamese"),
            "explanation_en": words("Giải thích tiếng Anh", "Explanation"),
        }
        shapes = shapely.to_wkb(boundaries([row["cell"] for row in found])) if found else []
        rows = [
            (shape, {name: _plain(row.get(name)) for name in fields} | {"cell": f"{row['cell']:x}"})
            for shape, row in zip(shapes, found, strict=True)
        ]
        summary = {"records": len(records.rows), "left_out": records.left_out,
                   "method": method.name, "options": options.model_dump(mode="json")}  # fmt: skip
        style = shown.style if shown.style.field in fields else shown.style.model_copy(
            update={"field": None, "classes": ()}
        )  # fmt: skip
        if style.text is not None and style.text not in fields:
            style = style.model_copy(update={"text": None})
        return NewCollection(GeometryKind.POLYGON, fields, rows, summary, style)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
