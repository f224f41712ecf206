"""A model as one more rater, and recordings of its judgements."""
