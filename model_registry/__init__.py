"""Candidates that can answer, and how to get their answers."""
