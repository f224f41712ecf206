"""How readable a diagram is, and whether one user will like it."""
