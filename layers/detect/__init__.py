"""Runs of the detection methods on a layer's rows: read, analyse, store, and repeat exactly.

method.py is the interface of a method, methods/ the methods and their registry; run.py runs them,
reproduction.py makes a run again, store.py and runs.py keep and list runs. observations.py reads
rows through the quality filter; scan.py and commune_series.py find (pure: frames in, results out);
findings_*.py and messages.py turn results into findings; null_distribution.py draws and stores
null distributions; backtest.py and replay.py evaluate the past.
"""

from layers.detect.method import RunReport
from layers.detect.methods import METHODS, alarms_of, layers_read, methods_of
from layers.detect.reproduction import Reproduction, repeat_run
from layers.detect.run import run_hotspots, run_method

__all__ = [
    "METHODS",
    "Reproduction",
    "RunReport",
    "alarms_of",
    "layers_read",
    "methods_of",
    "repeat_run",
    "run_hotspots",
    "run_method",
]
