"""Predictors of an architecture on a data set that need no label of that data set."""
