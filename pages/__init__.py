"""The web page: chat, blind grading, comparison, candidates, results, diagrams."""
