"""Measurements of layers with a section `series`: stored, corrected, summed up, served.

* `storing.py`: the measurements of a load, from staged records to the table of the layer;
* `latest.py`: the newest values, alarm levels and trends in the rows of stations;
* `stations.py`: which stations are known;
* `rules.py`: measurements as alert rules read them;
* `partitions.py`: the months of the table;
* `reading.py`: measurements, and their hourly and daily values;
* `reverting.py`: the measurements of a load taken back.
"""
