"""Instructions that a program can check: how they are declared, and whether a reply keeps them."""
