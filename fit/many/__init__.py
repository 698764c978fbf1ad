"""Fits of many recordings: the jobs, the worker processes, and the table of their results."""
