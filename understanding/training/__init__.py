"""Builds the heads from the training words and measures them. Never imported by the running service."""
