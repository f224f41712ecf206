"""The tables of a report: cells and columns, whatever format they are written in."""
