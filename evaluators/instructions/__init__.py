"""Instructions declared with a prompt (length, words, form), and whether a reply keeps them."""
