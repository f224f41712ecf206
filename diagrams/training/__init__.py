"""How the networks that score diagrams and their data were made; no user runs it."""
