"""How the bundled model that writes diagrams was trained; no user runs it."""
