"""Ranks candidates by criteria: weights, robustness, and the sentences that explain it."""
