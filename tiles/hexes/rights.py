"""Who may see a layer's counts by hex, and how few records a hex may show them."""

from collections.abc import Iterable

from gis.access import Principal, Role, may_read
from gis.errors import NotFound
from layers.definition.catalogue import Catalogue
from layers.definition.model import HexOptions, Layer


def hex_options(layer: Layer) -> HexOptions:
    """Raises NotFound for a layer whose rows are not counted by hex."""
    if layer.hexes is None:
        raise NotFound(f"the layer {layer.id} has no hexes")
    return layer.hexes


def may_read_hexes(who: Principal, layer: Layer) -> bool:
    """Whether `who` may see the counts, which may be open to more than the rows are."""
    if layer.hexes is None:
        return False
    return may_read(who, layer.hexes.read or layer.access.read, layer.id)


def hexed(catalogue: Catalogue, who: Principal, layer_id: str) -> Layer:
    """The layer, or NotFound also when `who` may not see its counts: nobody learns of it."""
    layer = next((one for one in catalogue.layers if one.id == layer_id), None)
    if layer is None or not may_read_hexes(who, layer):
        raise NotFound(f"there are no hexes of a layer {layer_id}")
    return layer


def with_hexes(who: Principal, layers: Iterable[Layer]) -> list[Layer]:
    """The layers whose counts `who` may see."""
    return [layer for layer in layers if may_read_hexes(who, layer)]


def least_count(layer: Layer, who: Principal, setting: int) -> int:
    """k: the fewest records of a hex that `who` may see; 1 for whoever works with the layer."""
    if who.role in (Role.OPERATOR, Role.ADMIN) or layer.id in who.layers:
        return 1
    return hex_options(layer).min_count or setting
