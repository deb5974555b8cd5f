"""Rights to a layer's counts by hex, and the least count that a hex may show to a principal."""

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


def may_read_hexes(principal: Principal, layer: Layer) -> bool:
    """True where the principal may see the counts, which may be open to more than the rows are."""
    if layer.hexes is None:
        return False
    return may_read(principal, layer.hexes.read or layer.access.read, layer.id)


def hexed(catalogue: Catalogue, principal: Principal, layer_id: str) -> Layer:
    """The layer; NotFound also when the principal may not see its counts: nobody learns of it."""
    layer = next((each for each in catalogue.layers if each.id == layer_id), None)
    if layer is None or not may_read_hexes(principal, layer):
        raise NotFound(f"there are no hexes of a layer {layer_id}")
    return layer


def with_hexes(principal: Principal, layers: Iterable[Layer]) -> list[Layer]:
    """The layers whose counts the principal may see."""
    return [layer for layer in layers if may_read_hexes(principal, layer)]


def least_count(layer: Layer, principal: Principal, setting: int) -> int:
    """k: the fewest records of a hex that is shown; 1 for a principal who works with the layer."""
    if principal.role in (Role.OPERATOR, Role.ADMIN) or layer.id in principal.layers:
        return 1
    return hex_options(layer).min_count or setting
