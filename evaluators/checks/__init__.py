"""The evaluators, one file each: adding one is one file."""
