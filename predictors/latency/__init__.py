"""Latency: predicted from few measurements, transferred between devices, measured, and looked up block by block."""
