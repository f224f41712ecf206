"""Rows that a user brings: what is learned, asked or judged, from files of any usual form."""
