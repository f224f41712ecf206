"""The work that is measured, written out."""
