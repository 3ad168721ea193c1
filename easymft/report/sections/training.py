"""How training went, phase by phase."""

from easymft.report import plots
from easymft.report.facts import Facts
from easymft.report.sections.section import Panel, Section
from easymft.report.words import is_number

History = list[Facts]


def learning_curves(stages: Facts) -> Section:
    """Show curves of every phase: those of all domains together, then of each domain's own."""
    mixed = stages.get("meta_fine_tune", {}).get("history") or []
    own = stages.get("fine_tune", {}).get("history") or {}
    adapted = stages.get("adapt", {}).get("history") or []
    rounds = stages.get("self_train", {}).get("rounds") or []
    phase = "meta fine-tuning" if own else "training"
    label_loss = "label_loss" if any("label_loss" in entry for entry in mixed) else "loss"
    panels = [
        *_mixed("Loss", "adaptation", "hidden tokens, nats", adapted, {"training": "loss"}),
        *_mixed("Loss", phase, "loss, nats", mixed, {"training": label_loss, "dev": "dev_loss"}),
        *_mixed("Domain corruption", phase, "loss, nats", mixed, _corruption_keys(mixed)),
        *_mixed(
            "Accuracy",
            phase,
            "average over domains, %",
            mixed,
            {"training": "average_accuracy", "dev": "dev_average_accuracy"},
        ),
        *_mixed("Mean typicality weight", phase, "weight", mixed, {"training": "mean_weight"}),
        *_of_rounds("Training loss", "loss, nats", rounds, "loss"),
        *_own("Training loss", "loss, nats", own, "loss"),
        *_own("Dev accuracy", "accuracy, %", own, "dev_average_accuracy"),
    ]
    how = (
        "Loss should fall and accuracy rise; where training goes on improving while dev gets"
        " worse, the model learns its texts by heart."
    )
    notes = []
    if _corruption_keys(mixed):
        notes.append(
            "Domain corruption: the loss of the heads that are taught domains drawn at random, so"
            " that the encoder hides the true ones. It starts near that of guessing and falls"
            " little."
        )
    if mixed and "typicality" in stages:
        notes.append(
            "In meta fine-tuning typicality weights the training loss and not the dev loss, so"
            " their heights differ by design."
        )
    return Section("curves", "Learning curves", how, panels, notes)


def _mixed(
    title: str, phase: str, ylabel: str, history: History, keys: dict[str, str]
) -> list[Panel]:
    return _panel(title, phase, ylabel, [_line(n, history, key) for n, key in keys.items()])


def _own(title: str, ylabel: str, histories: dict[str, History], key: str) -> list[Panel]:
    curves = [_line(domain, history, key) for domain, history in histories.items()]
    return _panel(title, "fine-tuning per domain", ylabel, curves)


def _of_rounds(title: str, ylabel: str, rounds: list[Facts], key: str) -> list[Panel]:
    histories = [part.get("history") or [] for part in rounds]
    curves = [_line(f"round {n}", history, key) for n, history in enumerate(histories, start=1)]
    return _panel(title, "self-training", ylabel, curves, each="each round")


def _panel(
    title: str, phase: str, ylabel: str, curves: list[plots.Line], each: str = "each domain"
) -> list[Panel]:
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        return []
    label = f"{title} over the epochs of {phase}"
    return [Panel(title, plots.lines(curves, "epoch", ylabel, label, each=each), phase)]


def _line(name: str, history: History, key: str) -> plots.Line:
    entries = [entry for entry in history if is_number(entry.get(key))]
    scale = 100 if "accuracy" in key else 1
    return plots.Line(name, [e["epoch"] for e in entries], [scale * e[key] for e in entries])


def _corruption_keys(history: History) -> dict[str, str]:
    start = "corruption_loss_layer_"
    keys = dict.fromkeys(key for entry in history for key in entry if key.startswith(start))
    return {f"layer {key.removeprefix(start)}": key for key in keys}
