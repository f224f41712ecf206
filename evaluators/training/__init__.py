"""How the fluency model was trained; no user runs it."""
