"""Property predictors over architecture graphs."""
