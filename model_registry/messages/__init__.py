"""The program's messages, as codes with their texts in English and Korean."""
