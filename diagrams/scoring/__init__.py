"""How readable a diagram is, how far it is what was asked for, and how well it suits a taste."""
