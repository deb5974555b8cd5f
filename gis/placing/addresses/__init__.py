"""Vietnamese addresses, old and new, to the communes of today."""

from gis.placing.addresses.match import AddressMatch, Candidate
from gis.placing.addresses.resolver import AddressResolver

__all__ = ["AddressMatch", "AddressResolver", "Candidate"]
