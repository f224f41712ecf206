"""Runs a study: each case in its own worker, measured, its results appended."""
