"""Small Korean models of our own that come with the project, and how they are trained."""
