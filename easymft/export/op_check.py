"""Refuses graphs that TensorFlow Serving cannot load, before anyone tries to serve them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from easymft.errors import InputError
from easymft.files import read_json

OPS_FILE = Path(__file__).with_name("serving_ops.json")
OLDEST_SERVING = "2.15.1"


def check_ops(folder: Path, serving: str = OLDEST_SERVING) -> None:
    """Check that the servers of a release, and of all later ones, know every op of a SavedModel.

    Looks at what signatures and initialization run, functions included. A server links the ops of
    TensorFlow and of tensorflow-text, of the versions in `serving_ops.json`; it has no Python, and
    what a graph reads from files at serving time does not travel with the model.

    Args:
        folder: A SavedModel.
        serving: The oldest release of TensorFlow Serving that must load it, at least 2.15.1.

    Raises:
        InputError: Names the ops that are in the way, and for each a place in the graph.
    """
    known, python_ops, file_ops = _op_lists(serving)
    faults = []
    for op, place in sorted(used_ops(folder).items()):
        if op in python_ops:
            faults.append(f"{op} (in {place}) calls Python, which a server does not have")
        elif op in file_ops:
            faults.append(f"{op} (in {place}) uses a file that does not travel with the model")
        elif op not in known:
            faults.append(f"{op} (in {place}) is not in TensorFlow Serving {serving} or not later")
    if faults:
        raise InputError(
            f"the graph cannot be served: {'; '.join(faults)}. Tokenizer and model must use ops of "
            'TensorFlow and tensorflow-text only; truncate pairs by "waterfall".',
            file=folder,
        )


def used_ops(folder: Path) -> dict[str, str]:
    """Return the ops that signatures and initialization of a SavedModel run, with a place of each.

    Saving and restoring of weights is not among them.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    used: dict[str, str] = {}
    for meta_graph in model.meta_graphs:
        nodes = {node.name: node for node in meta_graph.graph_def.node}
        functions = {f.signature.name: f for f in meta_graph.graph_def.library.function}
        called: list[str] = []
        for name in _reachable(nodes, _outputs(meta_graph)):
            used.setdefault(nodes[name].op, name)
            called += _called(nodes[name])
        seen = set()
        while called:
            name = called.pop()
            if name in seen or name not in functions:
                continue
            seen.add(name)
            for node in functions[name].node_def:
                used.setdefault(node.op, f"{name}/{node.name}")
                called += _called(node)
        # A node may call a function by its name alone.
        for name in functions.keys() & used.keys():
            del used[name]
    return used


def _op_lists(serving: str) -> tuple[set[str], set[str], set[str]]:
    """Return ops of a release and all later ones, ops that call Python, ops that use files."""
    data = read_json(OPS_FILE)
    entries = data["tensorflow_text"]
    version = _version(serving)
    if version < _version(entries[0]["serving"]):
        raise ValueError(
            f"`serving` must be at least {entries[0]['serving']}. Received: {serving!r}"
        )
    first = max(i for i, entry in enumerate(entries) if _version(entry["serving"]) <= version)
    text_ops = set.intersection(*(_names(entry["ops"]) for entry in entries[first:]))
    return (
        _names(data["core_ops"]) | text_ops,
        _names(data["python_ops"]),
        _names(data["file_ops"]),
    )


def _names(lines: list[str]) -> set[str]:
    return set(" ".join(lines).split())


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _outputs(meta_graph: Any) -> list[str]:
    """Return the names of the nodes that a server asks for."""
    outputs = [
        info.name
        for signature in meta_graph.signature_def.values()
        # `__saved_model_init_op` and the like stand among the signatures.
        for info in signature.outputs.values()
    ]
    for key in ("saved_model_main_op", "legacy_init_op"):
        outputs += meta_graph.collection_def[key].node_list.value
    return [_node(name) for name in outputs]


def _reachable(nodes: dict[str, Any], start: Iterable[str]) -> set[str]:
    found, rest = set(), list(start)
    while rest:
        name = rest.pop()
        if name not in found and name in nodes:
            found.add(name)
            rest += map(_node, nodes[name].input)
    return found


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").split(":")[0]


def _called(node: Any) -> list[str]:
    """Return the functions that a node calls, by attribute or by being named after one."""
    names = [node.op]
    for value in node.attr.values():
        names += [f.name for f in (value.func, *value.list.func) if f.name]
    return names
