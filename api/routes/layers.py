"""The catalogue of layers, and the schema of a layer file for editors."""

from typing import Any

from fastapi import APIRouter

from api.dependencies import Caller, UsedCatalogue
from layers.model import Layer
from layers.vocabulary import layer_schema as schema_of_layer_file

router = APIRouter(tags=["layers"])


@router.get("/layers")
def layers(catalogue: UsedCatalogue, caller: Caller) -> dict[str, Any]:
    """The layers that the caller may read, with what a client needs to show them."""
    return {"layers": [_summary(layer) for layer in catalogue.readable(caller)]}


@router.get("/schemas/layer.json")
def layer_schema() -> dict[str, Any]:
    """JSON Schema of a layer file."""
    return schema_of_layer_file()


def _summary(layer: Layer) -> dict[str, Any]:
    return {
        "id": layer.id,
        "title": layer.title.model_dump(),
        "description": layer.description.model_dump(),
        "department": layer.department.model_dump(),
        "licence": layer.licence,
        "attribution": layer.attribution,
        "geometry": layer.geometry,
        "has_tiles": layer.tiles is not None,
        "has_hexes": layer.hexes is not None,
        "fields": {
            name: {
                "label": field.label.model_dump(),
                "type": field.type,
                "unit": field.unit,
                "values": {
                    value: words.model_dump() for value, words in (field.values or {}).items()
                },
            }
            for name, field in layer.public_fields.items()
        },
    }
