"""Files read and written safely: whole or not at all, locked, bounded, errors with their line."""
