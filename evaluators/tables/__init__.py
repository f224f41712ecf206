"""Tables that people bring: cells with units, directions of columns, a decision on them."""
