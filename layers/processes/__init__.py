"""Planners' questions on layers: processes, their executions, and results as collections.

process.py is the interface of a process, operations/ the processes and their registry; context.py
reads layers with the rights of who asks; execution.py runs one and stores its result; runs.py
lists, keeps and forgets executions.
"""
