"""How the bundled diagram model was trained; no user's path comes here."""
