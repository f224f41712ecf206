"""A run read once, typed, and what it says: figures, criteria, the decision."""
