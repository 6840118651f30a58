"""Architectures as directed graphs: types, search spaces, encodings, benchmark tables, drawing."""
