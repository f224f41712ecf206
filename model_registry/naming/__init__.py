"""What a user's name for a model means, and what is known of the model before its weights."""
