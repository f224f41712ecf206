"""Resolves a model's name (hub id, folder, URL) and checks it before its weights are fetched."""
