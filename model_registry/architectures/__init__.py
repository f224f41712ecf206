"""What a model is made of: its values, their limits, its number of parameters."""
