"""How readable a diagram is, and how well it suits one user's taste."""
