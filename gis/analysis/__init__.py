"""Statistics on hexes, events and series: arrays and frames in, frames out; no database.

Names are imported when first asked for: the scans and trends bring numba, which a command that
needs none of them should not wait for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gis.analysis.cleaning import Cleaned as Cleaned
    from gis.analysis.cleaning import CleaningRules as CleaningRules
    from gis.analysis.cleaning import clean as clean
    from gis.analysis.daily_regression import MarkedDays as MarkedDays
    from gis.analysis.daily_regression import UsualDays as UsualDays
    from gis.analysis.daily_regression import newest_regression as newest_regression
    from gis.analysis.daily_regression import usual_days as usual_days
    from gis.analysis.emerging import EmergingRules as EmergingRules
    from gis.analysis.emerging import categories as categories
    from gis.analysis.emerging import emerging_hot_spots as emerging_hot_spots
    from gis.analysis.hotspots import hex_hotspots as hex_hotspots
    from gis.analysis.late_reports import nowcast as nowcast
    from gis.analysis.local import benjamini_hochberg as benjamini_hochberg
    from gis.analysis.local import empirical_bayes as empirical_bayes
    from gis.analysis.local import exact_p as exact_p
    from gis.analysis.local import exposure_p as exposure_p
    from gis.analysis.local import gi_star as gi_star
    from gis.analysis.local import local_moran as local_moran
    from gis.analysis.local import permuted_p as permuted_p
    from gis.analysis.newest import Newest as Newest
    from gis.analysis.newest import newest_cusum as newest_cusum
    from gis.analysis.newest import newest_ears as newest_ears
    from gis.analysis.newest import newest_farrington as newest_farrington
    from gis.analysis.outliers import hex_outliers as hex_outliers
    from gis.analysis.reporters import voices as voices
    from gis.analysis.scan import Null as Null
    from gis.analysis.scan import ebp_scan as ebp_scan
    from gis.analysis.scan import gumbel_p as gumbel_p
    from gis.analysis.scan import poisson_scan as poisson_scan
    from gis.analysis.scan import replicate_p as replicate_p
    from gis.analysis.scan import stp_maxima as stp_maxima
    from gis.analysis.scan import stp_null as stp_null
    from gis.analysis.scan import stp_scan as stp_scan
    from gis.analysis.scan import tail_p as tail_p
    from gis.analysis.scan import weekday_strata as weekday_strata
    from gis.analysis.series import ears as ears
    from gis.analysis.series import farrington as farrington
    from gis.analysis.series import farrington_flexible as farrington_flexible
    from gis.analysis.series import nb_cusum as nb_cusum
    from gis.analysis.surveillance import shiryaev_roberts as shiryaev_roberts
    from gis.analysis.trend import mann_kendall as mann_kendall
    from gis.analysis.weights import disk_matrix as disk_matrix
    from gis.analysis.window_lists import listed_maxima as listed_maxima
    from gis.analysis.window_lists import listed_scan as listed_scan

_NAMES = {
    "cleaning": ("Cleaned", "CleaningRules", "clean"),
    "daily_regression": ("MarkedDays", "UsualDays", "newest_regression", "usual_days"),
    "emerging": ("EmergingRules", "categories", "emerging_hot_spots"),
    "hotspots": ("hex_hotspots",),
    "window_lists": ("listed_maxima", "listed_scan"),
    "local": (
        "benjamini_hochberg",
        "empirical_bayes",
        "exact_p",
        "exposure_p",
        "gi_star",
        "local_moran",
        "permuted_p",
    ),
    "newest": ("Newest", "newest_cusum", "newest_ears", "newest_farrington"),
    "late_reports": ("nowcast",),
    "outliers": ("hex_outliers",),
    "scan": (
        "Null",
        "ebp_scan",
        "gumbel_p",
        "poisson_scan",
        "replicate_p",
        "stp_maxima",
        "stp_null",
        "stp_scan",
        "tail_p",
        "weekday_strata",
    ),
    "series": ("ears", "farrington", "farrington_flexible", "nb_cusum"),
    "surveillance": ("shiryaev_roberts",),
    "trend": ("mann_kendall",),
    "reporters": ("voices",),
    "weights": ("disk_matrix",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
