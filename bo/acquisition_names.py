"""The acquisitions by name; apart, so that a mistyped one is found without loading torch."""

ACQUISITIONS = {
    "log-ei": "log expected improvement over the best feasible value",
    "log-nei": "the same over the posterior of the best, for noisy objectives",
    "ucb": "upper confidence bound",
    "thompson": "Thompson sampling: the best of a draw from the joint posterior",
    "log-nehvi": "log noisy expected hypervolume improvement, for several objectives",
}


def usual_acquisition(objectives: int) -> str:
    """The acquisition for so many objectives, unless one is asked for."""
    return "log-ei" if objectives == 1 else "log-nehvi"
