"""Shared by remote backends: endpoints, timed HTTP, retries, errors, streamed replies."""
