"""Benchmarks: one run, one table, written to bench/results.md. Not part of the tests."""
