"""Simulated systems of departments that speak the real protocols: `python -m api.demo_sources`.

They show how departments' data arrive, one source failing and one late, without any department.
Each record says that it is simulated.
"""
