"""Reads a run folder and writes what people read."""
