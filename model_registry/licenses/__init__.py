"""What a licence says of each use of a model, and where a candidate's values were read."""
