"""How the scoring networks and their data were made; no user's path comes here."""
