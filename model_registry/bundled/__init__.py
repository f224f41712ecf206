"""Small Korean models of our own, which come with the project, and the recipe that makes them."""
