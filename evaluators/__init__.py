"""How good an answer is: automatic scores, people's grades, rankings and decisions."""
