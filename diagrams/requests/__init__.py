"""What is asked of a model that draws: requests in many wordings, and diagrams that answer them."""
