"""Diagrams from a model's text: read, drawn, judged and recommended. Knows no model."""
