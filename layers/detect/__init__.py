"""Runs of the analysis on a layer's rows: read, analyse, store, and repeat exactly.

records.py reads rows through the cleaning gate; alarm.py, series.py, map.py, local_moran.py and
emerging.py are the five methods (pure: frames in, rows out); words.py, telling.py,
telling_series.py and telling_held.py speak of what they find; store.py keeps runs, nulls.py draws
and keeps their nulls; running.py puts them together; repeating.py makes a run again.
"""

from layers.detect.reproduction import Reproduction, repeat_run
from layers.detect.run import METHODS, RunReport, methods_of, run_hotspots, run_method

__all__ = [
    "METHODS",
    "Reproduction",
    "RunReport",
    "methods_of",
    "repeat_run",
    "run_hotspots",
    "run_method",
]
