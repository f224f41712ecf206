"""The pictures of a report, drawn with matplotlib from a run's records."""
