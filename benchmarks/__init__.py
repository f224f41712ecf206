"""What it costs, and the study that joins everything."""
