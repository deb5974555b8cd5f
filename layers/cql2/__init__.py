"""CQL2 (OGC 21-065r2): a filter in text or JSON → a condition in SQL, values always bound.

`parse` gives the JSON form; `condition` translates it for a layer's properties. Whatever is not
supported raises BadFilter and is named.
"""

from layers.cql2.condition import condition
from layers.cql2.distance import FilterScope
from layers.cql2.operands import OperandKind, Property
from layers.cql2.parser import parse
from layers.cql2.properties import properties_of

__all__ = ["FilterScope", "OperandKind", "Property", "condition", "parse", "properties_of"]
