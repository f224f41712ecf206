"""The tables of a report as cells and columns, the same for every format."""
