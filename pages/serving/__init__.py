"""Serves many visitors: requests filtered, answers queued fairly, models kept loaded."""
