"""A run read once, typed, and what follows from it: figures, criteria, the decision."""
