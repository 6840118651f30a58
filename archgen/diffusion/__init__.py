"""Masked discrete diffusion over architecture graphs."""
