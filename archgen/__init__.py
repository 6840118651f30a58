"""archgen designs neural architectures: graph diffusion, learned predictors and Bayesian optimisation in one loop.

The public names below are loaded when they are first used, so that `import archgen` costs nothing.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archgen.campaign_folder import read_campaign
    from archgen.diffusion.checkpoint import load_generator, save_generator
    from archgen.diffusion.generator import DiffusionGenerator
    from archgen.diffusion.guidance import Guide
    from archgen.diffusion.training import TrainingConfig, train_generator
    from archgen.evaluation import Evaluation, evaluate_campaign
    from archgen.generated import Generated
    from archgen.generation import generate
    from archgen.labels import read_labels
    from archgen.session import open_campaign
    from bo.campaign import Campaign
    from graphs.archgraph import ArchGraph, Op
    from graphs.draw_text import draw_text
    from graphs.errors import ArchgenError
    from graphs.space import SearchSpace
    from graphs.spaces.catalogue import get_space
    from graphs.tables.catalogue import load_table
    from predictors.predictor import Predictor
    from predictors.wl_gp import WLGP, feature_table

_HOME = {
    "ArchGraph": "graphs.archgraph",
    "ArchgenError": "graphs.errors",
    "Campaign": "bo.campaign",
    "DiffusionGenerator": "archgen.diffusion.generator",
    "Evaluation": "archgen.evaluation",
    "Generated": "archgen.generated",
    "Guide": "archgen.diffusion.guidance",
    "Op": "graphs.archgraph",
    "Predictor": "predictors.predictor",
    "SearchSpace": "graphs.space",
    "TrainingConfig": "archgen.diffusion.training",
    "WLGP": "predictors.wl_gp",
    "draw_text": "graphs.draw_text",
    "evaluate_campaign": "archgen.evaluation",
    "feature_table": "predictors.wl_gp",
    "generate": "archgen.generation",
    "get_space": "graphs.spaces.catalogue",
    "load_generator": "archgen.diffusion.checkpoint",
    "load_table": "graphs.tables.catalogue",
    "open_campaign": "archgen.session",
    "read_campaign": "archgen.campaign_folder",
    "read_labels": "archgen.labels",
    "save_generator": "archgen.diffusion.checkpoint",
    "train_generator": "archgen.diffusion.training",
}

__all__ = [
    "WLGP",
    "ArchGraph",
    "ArchgenError",
    "Campaign",
    "DiffusionGenerator",
    "Evaluation",
    "Generated",
    "Guide",
    "Op",
    "Predictor",
    "SearchSpace",
    "TrainingConfig",
    "draw_text",
    "evaluate_campaign",
    "feature_table",
    "generate",
    "get_space",
    "load_generator",
    "load_table",
    "open_campaign",
    "read_campaign",
    "read_labels",
    "save_generator",
    "train_generator",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'archgen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


def _refuse_shadows() -> None:
    """Raise `ImportError`, naming the file, where something else in the user's path hides one of our packages."""
    home = Path(__file__).resolve().parents[1]
    for name in ("graphs", "predictors", "bo", "gnn_search"):
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(f"archgen's package {name!r} is missing; install archgen again")
        found = Path(spec.origin or next(iter(spec.submodule_search_locations or [name]))).resolve()
        if found != home / name / "__init__.py":
            raise ImportError(f"{found} hides archgen's own package {name!r}; rename it or run from another folder")


_refuse_shadows()
