"""Criteria in, one ranking out: weights, robustness to them, and the sentences that say it."""
