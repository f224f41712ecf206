"""What the program says to people, as codes with their words in English and Korean."""
