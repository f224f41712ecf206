"""Safe files: written atomically, locked, bounded, errors with their line."""
