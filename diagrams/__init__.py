"""Diagrams from a model's text: parsed, drawn, scored and recommended. Knows no model."""
