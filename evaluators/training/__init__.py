"""How the fluency model was trained; no user's path comes here."""
