"""The built-in evaluators, one file each: adding one is adding a file."""
