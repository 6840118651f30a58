"""Networks: from an architecture graph to a PyTorch module."""
