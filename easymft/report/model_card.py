"""A model card: what stands beside an exported model, in the form that Hugging Face reads."""

from huggingface_hub import EvalResult, ModelCardData

from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER, META_LEARNER
from easymft.report.answers import answer_sentences
from easymft.report.facts import Facts, data_notes, overview, test_metrics, warnings
from easymft.report.markdown import escape, table
from easymft.report.run_markdown import figure_cells
from easymft.report.templating import render

_TASK = "text-classification"
# What is known of published corpora, by the source a recipe names: the language, and the data
# set's name on the hub.
_PUBLISHED = {
    "amazon_reviews": ("en", None),
    "multi_nli_genre": ("en", "nyu-mll/multi_nli"),
}


def render_model_card(summary: Facts, model: str | None, pair: bool = False) -> str:
    """Return the model card of one exported model: Markdown after a YAML header.

    Args:
        summary: What `easymft.runs.execution.execute` returns.
        model: A domain's name, `"meta-learner"`, or `None` for all models combined.
        pair: Whether the model reads text pairs.
    """
    figures = _figures(summary, model)
    return render(
        "model_card.md.jinja",
        header=_metadata(summary, model, figures) + "\n",
        name=_name(summary, model),
        model=model,
        meta_learner=META_LEARNER,
        pair=pair,
        results=_results_table(figures),
        calibration=_calibration(summary, model),
        promises=_promises(summary, model),
        overview=overview(summary),
        notes=data_notes(summary),
        warnings=warnings(summary),
        **summary,
    )


def _name(summary: Facts, model: str | None) -> str:
    return f"{summary['config']['name']}: {'combined' if model is None else model}"


def _figures(summary: Facts, model: str | None) -> dict[str, Facts]:
    """Return test figures of the texts that this model answers, by domain."""
    tests = {kind: part["domains"] for kind, part in test_metrics(summary).items()}
    mixed, own = tests.get(BY_META_LEARNER, {}), tests.get(BY_FINE_TUNED, {})
    if model == META_LEARNER:
        figures = mixed
    elif model is None:
        figures = mixed | {domain: part for domain, part in own.items() if part["texts"]}
    else:
        figures = {model: own[model]} if model in own else {}
    return {domain: part for domain, part in figures.items() if part["texts"]}


def _metadata(summary: Facts, model: str | None, figures: dict[str, Facts]) -> str:
    """Return the header as YAML: what is known, and no field that is not."""
    config, data = summary["config"], summary["stages"].get("validate", {})
    published = None if data.get("is_sample") else config["data"]["source"]
    language, dataset = _PUBLISHED.get(published, (None, None))
    preset = config["backbone"]["preset"]
    results = [
        EvalResult(
            task_type=_TASK,
            dataset_type=dataset or data["corpus"],
            dataset_name=f"{data['corpus']}, {domain}",
            dataset_config=domain,
            dataset_split="test",
            metric_type=kind,
            metric_name=name,
            metric_value=part[key],
        )
        for domain, part in figures.items()
        for kind, name, key in (
            ("accuracy", None, "accuracy"),
            ("f1", "macro F1", "macro_f1"),
        )
    ]
    return ModelCardData(
        library_name="keras",
        pipeline_tag=_TASK,
        tags=["easymft", "multi-domain", *(["mft"] if "mft" in config["method"] else [])],
        language=language,
        base_model=preset.removeprefix("hf://") if preset.startswith("hf://") else None,
        datasets=[dataset] if dataset else None,
        metrics=["accuracy", "f1"],
        model_name=_name(summary, model) if results else None,
        eval_results=results or None,
    ).to_yaml()


def _results_table(figures: dict[str, Facts]) -> str | None:
    header = ["domain", "test texts", "accuracy", "95 % interval", "macro-F1"]
    rows = [
        [escape(domain), str(part["texts"]), *figure_cells(part)]
        for domain, part in figures.items()
    ]
    return table([header, *rows]) if rows else None


def _promises(summary: Facts, model: str | None) -> list[str]:
    """Return what is promised of the answers, of the texts that this model answers."""
    sentences = answer_sentences(summary, BY_META_LEARNER if model == META_LEARNER else None)
    if model in (None, META_LEARNER):
        return sentences
    others = set(summary["stages"]["validate"]["domains"]) - {model}
    return [own for own in sentences if own.partition(":")[0] not in others]


def _calibration(summary: Facts, model: str | None) -> float | None:
    """Return the expected calibration error of the answers on test texts, in points."""
    kinds = (summary.get("diagnostics") or {}).get("calibration") or {}
    mixed = model == META_LEARNER or BY_FINE_TUNED not in kinds
    kind = BY_META_LEARNER if mixed else BY_FINE_TUNED
    error = kinds.get(kind, {}).get("test") or {}
    value = error.get("domains", {}).get(model, error.get("average"))
    return None if value is None else 100 * value
