"""Zero-cost metrics: what an untrained classifier and one minibatch say about the classifier once trained."""
