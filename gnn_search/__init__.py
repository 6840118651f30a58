"""Graph neural networks: from an architecture graph to a PyTorch Geometric module that can be trained."""
