"""Evaluators: what a candidate is given to, each a process of its own."""
