"""Every private or undocumented name of Keras, keras-hub and TensorFlow that easymft uses.

A release may take any of them away. Whatever would then go wrong without a word fails here, by the
name and with what to do. A name that is not listed, or no longer used, fails too.
"""

import ast
import functools
import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import keras_hub
import pytest

import easymft
from tests.models.tiny import tiny_backbone

PACKAGE = Path(easymft.__file__).parent
BACKEND = keras.backend.backend()


class Used(NamedTuple):
    """A name, the file that uses it, where it is looked for, and what to do when it is gone."""

    name: str
    file: str
    names: Callable[[], Container[str]]
    advice: str
    backends: tuple[str, ...] = ("tensorflow", "jax")


def of(kind: type) -> Callable[[], Container[str]]:
    return lambda: dir(kind)


def trainer() -> Container[str]:
    from keras.src.backend.tensorflow import trainer

    return [*dir(trainer), *dir(keras.Model)]


@functools.cache
def backbone() -> keras.Model:
    return tiny_backbone(dropout=0.1)


def names_of_layers() -> Container[str]:
    return {layer.name for layer in backbone()._flatten_layers()}


def names_of_variables() -> Container[str]:
    dense, norm = keras.layers.Dense(1), keras.layers.LayerNormalization()
    dense.build((None, 1))
    norm.build((None, 1))
    return {v.name for v in [*dense.variables, *norm.variables]}


def of_a_built_optimizer() -> Container[str]:
    optimizer = keras.optimizers.AdamW()
    optimizer.build([keras.Variable([1.0])])
    return dir(optimizer)


def of_attention_that_is_built() -> Container[str]:
    layer = keras.layers.MultiHeadAttention(1, 1)
    layer.build((None, None, 1), (None, None, 1))
    return dir(layer)


def of_a_tokenizer() -> Container[str]:
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    return dir(keras_hub.models.BertTokenizer(special))


OPTIMIZER = "models/optimizer.py"
SITES = "models/adapter_sites.py"
WALK = "walk the layers another way in models/sublayers.py"
DECAY = "see what Keras calls these variables: with none excluded, all of them decay"
ADAM = "look up where Adam keeps it; without the kernel, `super().update_step` is right, and slower"
CLIP = "without it nothing calls ours: see what Keras does by itself, which is right, and slower"
TOKENIZER = "see how keras-hub's WordPiece tokenizers take the argument"
ENCODER = "reach the encoder's layers another way in `encoder`"
TENSORFLOW = ("tensorflow",)
USED = [
    Used("_flatten_layers", "models/sublayers.py", of(keras.layers.Layer), WALK),
    Used(
        "seed_generator",
        "models/cpu_kernels/dropout.py",
        lambda: dir(keras.layers.Dropout(0.1)),
        "find a dropout layer's generator for `next_seed`, and in models/sublayers.py",
    ),
    Used(
        "state",
        "models/sublayers.py",
        lambda: dir(keras.random.SeedGenerator(0)),
        "find a generator's variable, or dropout and corrupted labels are drawn without a seed",
    ),
    Used(
        "_all_reduce_sum_gradients",
        OPTIMIZER,
        of(keras.optimizers.AdamW),
        "keep Keras from adding up the replicas' gradients, which `apply` has added up already",
        TENSORFLOW,
    ),
    Used("_learning_rate", OPTIMIZER, of_a_built_optimizer, "find the schedule for `build`"),
    Used(
        "_track_variable",
        OPTIMIZER,
        of_a_built_optimizer,
        "make the schedule's length a variable of the optimizer, or JAX trains with the first one",
    ),
    Used("_clip_gradients", OPTIMIZER, of(keras.optimizers.AdamW), CLIP),
    Used("_apply_weight_decay", OPTIMIZER, of(keras.optimizers.AdamW), CLIP),
    Used("_use_weight_decay", OPTIMIZER, of(keras.optimizers.AdamW), CLIP),
    Used(
        "_value",
        "models/cpu_kernels/embedding.py",
        lambda: vars(keras.Variable([1.0])),
        "find the table that is not cast, or leave `embedding` out: it is slower only",
        TENSORFLOW,
    ),
    *(
        Used(
            name,
            "models/cpu_kernels/attention.py",
            of_attention_that_is_built,
            "see how Keras' attention computes now, or leave `attention` out: it is slower only",
            TENSORFLOW,
        )
        for name in ("_compute_attention", "_inverse_sqrt_key_dim", "_dropout", "_dropout_layer")
    ),
    Used("_get_variable_index", OPTIMIZER, of_a_built_optimizer, ADAM),
    Used("_momentums", OPTIMIZER, of_a_built_optimizer, ADAM),
    Used("_velocities", OPTIMIZER, of_a_built_optimizer, ADAM),
    Used(
        "_iterations",
        OPTIMIZER,
        of_a_built_optimizer,
        "set the batches that an optimizer has counted, or a training that went on in more parts "
        "would begin its schedule anew",
    ),
    Used("handle", OPTIMIZER, lambda: dir(keras.Variable([1.0])), ADAM, TENSORFLOW),
    Used("bias", OPTIMIZER, names_of_variables, DECAY),
    Used("gamma", OPTIMIZER, names_of_variables, DECAY),
    Used("beta", OPTIMIZER, names_of_variables, DECAY),
    Used(
        "make_train_function",
        "models/seeded_model.py",
        of(keras.Model),
        "set the replicas' random states apart before the first step, or all draw alike",
    ),
    Used(
        "distribute_strategy",
        "devices/replicas.py",
        of(keras.Model),
        "find a model's strategy, or its replicas draw alike",
        TENSORFLOW,
    ),
    *(
        Used(
            name,
            "devices/replicas.py",
            trainer,
            "see whether `fit` over several workers still has the fault of keras issue #20585",
            TENSORFLOW,
        )
        for name in ("reduce_per_replica", "_maybe_symbolic_build")
    ),
    Used(
        "pooled_dense",
        "models/text_classifier.py",
        lambda: dir(backbone()),
        "find the pooler, or it costs optimizer state where it is not read",
    ),
    Used("transformer_layers", "models/backbone.py", lambda: dir(backbone()), ENCODER),
    Used("num_layers", "models/backbone.py", lambda: dir(backbone()), ENCODER),
    Used(
        "hidden_dim",
        "models/text_classifier.py",
        lambda: dir(backbone()),
        "find the width of the encoder's output, which the heads are built for",
    ),
    *(
        Used(name, SITES, names_of_layers, "find the projections where domains have parts")
        for name in (
            "query",
            "value",
            "feedforward_intermediate_dense",
            "feedforward_output_dense",
        )
    ),
    Used("lowercase", "models/tokenizer.py", of_a_tokenizer, TOKENIZER),
    Used("split_on_cjk", "models/tokenizer.py", of_a_tokenizer, TOKENIZER),
    Used(
        "backbone_cls",
        "models/hugging_face_bert_tokenizer.py",
        of(keras_hub.models.BertTokenizer),
        "keep keras-hub from taking easymft's tokenizer for that of a preset",
    ),
]
MODULES = {"keras.src.backend.tensorflow": "devices/replicas.py"}


def message(used: Used) -> str:
    return (
        f"`{used.name}`, which easymft/{used.file} uses, is gone from Keras {keras.__version__} "
        f"with keras-hub {keras_hub.__version__}: {used.advice}"
    )


@pytest.mark.parametrize("used", USED, ids=lambda used: used.name)
def test_is_there(used):
    if BACKEND not in used.backends:
        pytest.skip(f"not used on {BACKEND}")
    assert used.name in used.names(), message(used)


@pytest.mark.parametrize("used", USED, ids=lambda used: used.name)
def test_is_used_where_it_is_listed(used):
    source = (PACKAGE / used.file).read_text(encoding="utf-8")
    assert re.search(rf"\b{used.name}\b", source), f"take `{used.name}` off the list: not used"


@pytest.mark.long
def test_no_other_private_name_is_used():
    sources = {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
    }
    assert unlisted(sources) == []


def test_a_name_that_is_gone_is_told_with_what_to_do():
    gone = Used("_flat_layers", "models/sublayers.py", of(keras.layers.Layer), WALK)
    with pytest.raises(AssertionError, match=r"`_flat_layers`.*sublayers.py uses, is gone.*walk"):
        test_is_there(gone)
    with pytest.raises(AssertionError, match="take `_flat_layers` off the list"):
        test_is_used_where_it_is_listed(gone)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("keras.layers.Dense(3)._serialize()", "_serialize"),
        (
            "class Own(keras.Model):\n    def f(self):\n        return self._losses_override",
            "_losses_override",
        ),
        ("getattr(strategy, '_in_multi_worker_mode')", "_in_multi_worker_mode"),
        ("from keras.src.saving import saving_lib", "keras.src.saving"),
        ("from keras_hub.src.utils import preset_utils", "keras_hub.src.utils"),
        ("import tensorflow.python.eager", "tensorflow.python.eager"),
        ("tf.__internal__.distribute", "__internal__"),
    ],
)
def test_a_name_that_is_not_listed_is_found(source, found):
    assert unlisted({"models/new.py": source}) == [f"easymft/models/new.py: {found}"]


def test_names_of_easymft_itself_are_its_own():
    source = "class Own:\n    def _f(self):\n        self._g = 1\n        return self._f, self._g"
    assert unlisted({"models/new.py": source}) == []


def unlisted(sources: dict[str, str]) -> list[str]:
    """Return private names in sources by path that are neither easymft's own nor listed."""
    trees = {path: ast.parse(source) for path, source in sources.items()}
    own = {name for tree in trees.values() for name in defined(tree)}
    # Python documents `os._exit`, for all its underscore.
    listed = {used.name for used in USED} | set(MODULES) | {"_exit"}
    return [
        f"easymft/{path}: {name}"
        for path, tree in sorted(trees.items())
        for name in dict.fromkeys(mentioned(tree))
        if name not in own and name not in listed
    ]


def defined(tree: ast.AST) -> Iterator[str]:
    """Yield the names that classes of a module give their attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (part.name for part in node.body if hasattr(part, "name"))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def mentioned(tree: ast.AST) -> Iterator[str]:
    """Yield the attributes, strings and modules of a module that look private."""
    parts_of_strings = {
        id(value)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for value in node.values
    }
    for node in ast.walk(tree):
        name = getattr(node, "attr", None)
        if isinstance(node, ast.Constant) and id(node) not in parts_of_strings:
            name = node.value
        if isinstance(name, str) and re.fullmatch(r"_[a-z]\w*|__internal__", name):
            yield name
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        yield from (name for name in modules if is_private(name))


def is_private(module: str) -> bool:
    first, *parts = module.split(".")
    inside = any(part in ("src", "python") or part.startswith("_") for part in parts)
    return first != "easymft" and inside
