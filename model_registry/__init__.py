"""Candidates and how they answer; shared by all: statuses and cures, errors, records, plugins."""
