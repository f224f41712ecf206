"""Shared by all commands: lazy loading, options, consoles, signals."""
