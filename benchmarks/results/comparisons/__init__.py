"""Paired comparisons of cases: quantised with plain, after a tune with before it."""
