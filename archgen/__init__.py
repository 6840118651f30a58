"""The archgen product: generator, command line, and the facade that puts the parts together."""
