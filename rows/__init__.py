"""Rows that users bring for training, prompts and scoring, from files of any usual format."""
