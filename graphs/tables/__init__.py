"""Benchmark tables: published measurements as evaluators."""
