"""The built-in evaluators, which score any reply, one file each: adding one is adding a file."""
