"""What a recipe may say: typed, checked, complete. One class per section of the JSON.

The docstring under a field is its description in the JSON schema and in error messages. Fields
hold the paper's setting by default; `app_zoo/` says what differs for a given backbone.
"""

from easymft.config.adapt import Adapt
from easymft.config.answers import Answers
from easymft.config.audit import Audit
from easymft.config.data import Columns, DataConfig, FewShot, Split
from easymft.config.method import METHODS, Method
from easymft.config.mft import MFT, VARIANTS
from easymft.config.recipe import Adversary, Backbone, Config, Distribution, Export
from easymft.config.section import Section
from easymft.config.self_training import SelfTraining
from easymft.config.sweep import Search, Sweep
from easymft.config.training import Adapters, FineTune, Optimizer, Phase

__all__ = [
    "METHODS",
    "MFT",
    "VARIANTS",
    "Adapt",
    "Adapters",
    "Adversary",
    "Answers",
    "Audit",
    "Backbone",
    "Columns",
    "Config",
    "DataConfig",
    "Distribution",
    "Export",
    "FewShot",
    "FineTune",
    "Method",
    "Optimizer",
    "Phase",
    "Search",
    "Section",
    "SelfTraining",
    "Split",
    "Sweep",
]
