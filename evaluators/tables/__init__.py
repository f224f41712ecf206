"""Tables that people bring: cells with units, directions of columns, decisions."""
