"""The archgen command."""
