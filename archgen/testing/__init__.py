"""Contract tests for what users write themselves: subclass one in a test file and pytest does the rest.

Each says in its docstring which attributes and methods it asks for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archgen.testing.evaluator import EvaluatorContract
    from archgen.testing.executor import ExecutorContract
    from archgen.testing.generator import GeneratorContract
    from archgen.testing.layout import LayoutContract
    from archgen.testing.space import SpaceContract
    from archgen.testing.strategy import StrategyContract
    from archgen.testing.surrogate import SurrogateContract

__all__ = [
    "EvaluatorContract",
    "ExecutorContract",
    "GeneratorContract",
    "LayoutContract",
    "SpaceContract",
    "StrategyContract",
    "SurrogateContract",
]


def __getattr__(name: str) -> Any:
    """Each contract is loaded when it is named, so that a test of a space does not wait for BoTorch."""
    if name not in __all__:
        raise AttributeError(f"module 'archgen.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"archgen.testing.{name.removesuffix('Contract').lower()}"), name)
