"""Who can answer, and how to get an answer."""
