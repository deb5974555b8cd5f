"""Summaries of a layer: counts, sums, means, medians and rates by unit, hex, time or field.

    parameters.py (what is asked) → dimensions.py (by what) → statement.py (SQL) → Summary

`files.py` writes a summary as CSV or as a workbook. `/summary` and `gis summary` are both this.
"""
