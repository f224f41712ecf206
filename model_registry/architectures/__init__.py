"""A model's configuration: its values, their limits, its parameter count."""
