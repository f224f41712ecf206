"""Weights: loading, quantisation, adapters, export."""
