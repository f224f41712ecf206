"""Requests for diagrams in many wordings, each with a diagram that answers it."""
