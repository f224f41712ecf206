"""Doing a study: each case in a worker of its own, measured, its results appended."""
