"""Tests that do in a real browser what a person does."""
