"""Contract tests for what users write themselves: subclass one in a test file and pytest does the rest.

Each says in its docstring which attributes and methods it asks for.
"""

from archgen.testing.evaluator import EvaluatorContract
from archgen.testing.generator import GeneratorContract
from archgen.testing.space import SpaceContract
from archgen.testing.strategy import StrategyContract
from archgen.testing.surrogate import SurrogateContract

__all__ = ["EvaluatorContract", "GeneratorContract", "SpaceContract", "StrategyContract", "SurrogateContract"]
