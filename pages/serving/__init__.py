"""How the page answers many visitors: requests let through, answers queued, models kept."""
