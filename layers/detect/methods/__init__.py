"""The detection methods, by name: the one registry of them.

Alarms come first, since alerts wait for no map; of two alarms the one that inhibits the other.
"""

from typing import Any, Final

from layers.definition.model import Layer
from layers.detect.method import Method
from layers.detect.methods.emerging import Emerging
from layers.detect.methods.gi_star import GiStar
from layers.detect.methods.joint_scan import JointScan
from layers.detect.methods.local_moran import LocalMoran
from layers.detect.methods.series import Series
from layers.detect.methods.stp_scan import StpScan

_ALL: Final[tuple[Method[Any], ...]] = (
    StpScan(),
    Series(),
    JointScan(),
    GiStar(),
    LocalMoran(),
    Emerging(),
)
METHODS: Final[dict[str, Method[Any]]] = {method.name: method for method in _ALL}


def methods_of(layer: Layer) -> list[str]:
    """The methods that the layer's file asks for, the alarms first."""
    hotspots = layer.hotspots
    if hotspots is None:
        return []
    return [name for name, method in METHODS.items() if method.options_of(hotspots) is not None]


def alarms_of(layer: Layer) -> tuple[str, ...]:
    """Methods of a layer that raise alerts, and share the budget of false ones."""
    return tuple(name for name in methods_of(layer) if METHODS[name].rule is not None)


def layers_read(layer: Layer, method: str) -> tuple[str, ...]:
    """The layer, and others whose rows the method reads."""
    options = METHODS[method].options_of(layer.hotspots) if layer.hotspots else None
    return (layer.id, *(METHODS[method].reads(options) if options is not None else ()))
