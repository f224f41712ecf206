"""A model as one more rater, and the recording of what it was asked."""
