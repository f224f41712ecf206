"""The pictures of a report, each drawn from a run's records alone."""
