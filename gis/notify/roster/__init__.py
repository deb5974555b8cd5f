"""Duty roster: who is on duty for which alerts, from when to when, and when nobody is."""
