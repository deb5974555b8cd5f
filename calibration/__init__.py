"""Calibration of the alarms: how often they are wrong, what they find, and how soon."""
