"""How much memory a case needs before it runs: traced, corrected by measurements, judged."""
