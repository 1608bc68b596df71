"""Adapters between a provider's bytes and our own values. Knows no other room; holds no state about a person."""
