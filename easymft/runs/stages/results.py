"""From trained models to what people look at: evaluate, diagnose, report, export."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from easymft import files
from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER, DOMAIN_PARTS, META_LEARNER
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError
from easymft.fetch.packages import sha256_of
from easymft.methods import answers, diagnostics, evaluation, reliability
from easymft.methods import typicality as scoring
from easymft.methods.familiarity import familiar, table_of
from easymft.methods.reference import reference_table
from easymft.models import AdaptedTextClassifier, TextClassifier
from easymft.models.answer_rules import AnswerRules
from easymft.models.backbone import default_corruption_layers, num_layers
from easymft.models.text_representations import TextRepresentations
from easymft.report import render_html, render_markdown
from easymft.report.model_card import render_model_card
from easymft.runs.run import Run
from easymft.runs.stages import baselines
from easymft.runs.stages.training import score_texts, texts_to_score
from easymft.runs.summary import summary


def evaluate(run: Run) -> dict[str, Any]:
    """Predict dev and test once with every model; write predictions, metrics, rules of answering.

    The rules are found on texts held out of training; the predictions written follow them.
    """
    data, tables, answer, asked = run.data, [], _Answers(run), []
    start = time.monotonic()
    for name, by, parts in _asked(run):
        rows = np.concatenate(list(parts.values()))
        if not len(rows):
            continue
        splits = np.repeat(list(parts), [len(part) for part in parts.values()])
        if by == run.method.answers_by:
            asked.append(rows)
        tables.append(
            evaluation.predictions_table(data.corpus, rows, answer(name, rows), by, splits)
        )
    seconds = time.monotonic() - start
    raw, (labels, domains) = pa.concat_tables(tables), (data.corpus.labels, data.corpus.domains)
    facts = answers.fit(_with_held_out(run, raw), labels, domains, run.config.answers)
    predictions = answers.calibrated(raw, facts, domains)
    facts["test"] = answers.tried(raw, predictions, facts, domains)
    files.write_json(run.folder.answers, facts)
    files.write_parquet(run.folder.predictions, predictions)
    metrics = evaluation.metrics(predictions, labels, domains)
    files.write_json(run.folder.metrics, metrics)
    if run.method.has_encoder:
        if run.keeps_models:
            _keep_rules(run, facts, None if run.has_parts else answer.model)
        rules = answers.rules(facts, run.method.answers_by, domains)
        last = predictions.filter(pc.field("model") == run.method.answers_by)
        _keep_reference(run, last, np.concatenate(asked), rules, answer.words())
    return {
        "texts": len(predictions),
        "predicting_seconds": round(seconds, 3),
        "model_bytes": sum(path.stat().st_size for path in run.model_files()),
    }


def _with_held_out(run: Run, predictions: pa.Table) -> pa.Table:
    """Add the answers to training texts by models that did not see them, where there are some."""
    asked = run.config.answers.folds
    if asked is None:
        return predictions
    if (had := run.folder.facts("cross_fit")["folds"]) != asked:
        message = (
            f"was {had} when `cross_fit` ran; `--mode cross_fit` does it anew. Received: {asked}"
        )
        raise InputError(message, field="answers.folds")
    folds = [files.read_parquet(run.folder.cross_fitted(fold)) for fold in range(asked)]
    return pa.concat_tables([predictions, *folds])


def _keep_rules(run: Run, facts: Mapping[str, Any], model: TextClassifier | None) -> None:
    """Have the models that stay answer by their rules when they are loaded by themselves.

    Args:
        run: The run.
        facts: What was found about its models' answers.
        model: One of its models, if one is at hand; it takes the others' weights.
    """
    for name, code in run.models().items():
        by = BY_META_LEARNER if code is None else BY_FINE_TUNED
        if by in facts["models"]:
            model = run.load(name) if model is None else model
            run.load_weights(model, name)
            model.rules = answers.rules(facts, by, run.data.corpus.domains)
            run.keep(model, name)


def _keep_reference(
    run: Run, predictions: pa.Table, rows: np.ndarray, rules: AnswerRules, words: np.ndarray
) -> None:
    """Keep what is familiar, and what the held-out texts look like to the run's last model."""
    data, tokens = run.data, run.data.tokens
    known = familiar(words, tokens, data.splits["train"], data.corpus.domains, data.num_classes)
    run.keep_familiarity(known)
    table = reference_table(predictions, rows, tokens, words, known, rules)
    files.write_parquet(run.folder.reference, table)


def _asked(run: Run) -> Iterator[tuple[str, str, Splits]]:
    """Yield the name of each model, which of a method's two it is, and the rows it answers."""
    data, asked = run.data, run.config.evaluate_on
    for name, domain in run.models().items():
        if domain is None:
            yield name, BY_META_LEARNER, {split: data.splits[split] for split in asked}
        else:
            yield name, BY_FINE_TUNED, {split: data.rows_of(split, domain) for split in asked}
    if run.has_parts:
        yield DOMAIN_PARTS, BY_FINE_TUNED, {split: data.rows_of(split) for split in asked}


class _Answers:
    """Class probabilities by the models of a run, of which one is held at a time.

    Args:
        run: The run.

    Attributes:
        model: The one that is held; `None` before the first is asked.
    """

    def __init__(self, run: Run):
        self._run = run
        self.model: Any = None
        self._words: np.ndarray | None = None

    def __call__(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return what a model makes of texts, `(rows, classes)` float32; asked in their order."""
        run, data = self._run, self._run.data
        if not run.method.has_encoder:
            return run.load(name).predict_proba(baselines.text_columns(data.corpus, rows))
        self._hold(name)
        return evaluation.class_probabilities(self.model, f"evaluating {name}", data.tokens, rows)

    def words(self) -> np.ndarray:
        """Return the word embeddings of the run's first model."""
        if self._words is None:  # no text asked for it
            first, *_ = self._run.models()
            self._words = table_of(self._run.load(first).backbone)
        return self._words

    def _hold(self, name: str) -> None:
        if name == DOMAIN_PARTS:
            self.model = self._run.with_parts(self.model)
        elif self.model is None:
            self.model = self._run.load(name)
        else:
            # One model, many weights: prediction is traced once.
            self._run.load_weights(self.model, name)
        if name == next(iter(self._run.models())):
            self._words = table_of(self.model.backbone)


def diagnose(run: Run) -> dict[str, Any]:
    """Look into the encoder before and after: domains, calibration, typicality, a map."""
    data, predictions = run.data, files.read_parquet(run.folder.predictions)
    texts, before, after = _encoder_before_and_after(run)
    found = diagnostics.diagnose(data.corpus, texts, before, after, run.config.seed)
    typicality = _complete_typicality(run)
    figures = {
        **found.figures,
        "calibration": reliability.calibration(predictions, data.corpus.domains),
        "typicality_and_errors": (
            None
            if typicality is None
            else reliability.typicality_and_errors(predictions, typicality)
        ),
        "wrong_labels": _wrong_labels_found(run),
    }
    files.write_json(run.folder.diagnostics, figures)
    files.write_parquet(run.folder.embeddings, found.map)
    with run.logs() as logs:
        logs.add_embeddings(found.embeddings, found.map)
    return {}


def report(run: Run) -> dict[str, Any]:
    """Write `report.html` and `report.md`: results, data, curves, typicality, how to repeat it."""
    folder, facts = run.folder, summary(run)
    html = render_html(
        facts, _table(folder.predictions), _table(folder.typicality), _table(folder.embeddings)
    )
    files.write_text(folder.path / "report.html", html)
    files.write_text(folder.path / "report.md", render_markdown(facts))
    return {}


def export(run: Run) -> dict[str, Any]:
    """Export every model, and all of them as one, for TensorFlow Serving."""
    if not run.method.has_encoder:
        raise InputError(
            f"`{run.method.name}` has no encoder, and no SavedModel to export; take `embed`, or a "
            "method that trains one",
            field="method",
        )
    # Imported here: TensorFlow only, where training runs on other backends too.
    from easymft.export import export_run

    corpus = run.data.corpus
    paths = export_run(
        preprocessor=run.data.preprocessor,
        labels=run.labels,
        folder=run.folder.export,
        pair=corpus.is_pair,
        card=functools.partial(render_model_card, summary(run), pair=corpus.is_pair),
        single=not run.has_parts if run.config.export.single is None else run.config.export.single,
        rules=_rules(run),
        familiarity=run.familiarity(),
        precision=run.config.export.precision,
        remove_superseded=True,
        **(_exported_parts(run) if run.has_parts else _exported_models(run)),
    )
    return {"models": [str(path.relative_to(run.folder.path)) for path in paths]}


def _rules(run: Run) -> Callable[[str | None], AnswerRules]:
    """Return a function from a model's name in the export to its rules of answering."""
    domains = run.domain_parts().domains if run.has_parts else run.data.corpus.domains
    if not run.folder.answers.exists():  # the run of an earlier release
        return lambda key: AnswerRules.none(domains)
    facts, learned = files.read_json(run.folder.answers), run.data.corpus.domains
    # Domains that came later have the rule of those that nobody knew.
    mixed = answers.rules(facts, BY_META_LEARNER, learned).of_domains(domains)
    combined = answers.routed(facts, run.method, learned).of_domains(domains)
    return lambda key: mixed if key == META_LEARNER else combined


def _exported_models(run: Run) -> dict[str, Any]:
    """Return what `export_run` is given where every domain has a model."""
    domains = run.data.corpus.domains
    names = {
        META_LEARNER if code is None else domains[code]: name for name, code in run.models().items()
    }
    sources = {key: run.fingerprint(name) for key, name in names.items()}
    return {"models": _Loaded(run, names), "domains": domains, "sources": sources}


def _exported_parts(run: Run) -> dict[str, Any]:
    """Return what `export_run` is given where domains have parts; any added since, too."""
    parts = run.domain_parts()
    combined = parts.beside(run.load(META_LEARNER))
    source = f"{run.fingerprint(META_LEARNER)}, parts {sha256_of(run.folder.domain_parts)}"
    models = _Merged(combined, parts.domains)
    return {
        "models": models,
        "combined": combined,
        "domains": parts.domains,
        "sources": dict.fromkeys([None, *models], source),
    }


class _Merged(Mapping[str, TextClassifier]):
    """The meta-learner, and models with a domain's parts in their weights, made when asked for."""

    def __init__(self, combined: AdaptedTextClassifier, domains: Sequence[str]):
        self._combined, self._names = combined, (META_LEARNER, *domains)

    def __getitem__(self, key: str) -> TextClassifier:
        # The meta-learner is what a domain without parts has.
        return self._combined.merged(self._names.index(key) - 1 if key != META_LEARNER else None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Loaded(Mapping[str, TextClassifier]):
    """Trained models of a run by another name, each read whenever it is asked for."""

    def __init__(self, run: Run, names: Mapping[str, str]):
        self._run, self._names = run, names

    def __getitem__(self, key: str) -> TextClassifier:
        return self._run.load(self._names[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _encoder_before_and_after(
    run: Run,
) -> tuple[diagnostics.DiagnosedTexts, diagnostics.Vectors, diagnostics.Vectors | None]:
    """Return the texts looked at, and what both encoders make of them."""
    config, data = run.config, run.data
    asked, nothing = {*config.evaluate_on, "train"}, np.array([], int)
    splits = {name: rows if name in asked else nothing for name, rows in data.splits.items()}
    texts = diagnostics.DiagnosedTexts.sample(splits, config.seed)
    classifier = run.new_classifier()
    layers = config.mft.corruption_layers
    if layers is None:
        layers = default_corruption_layers(num_layers(classifier.backbone))
    model = TextRepresentations(classifier, layers)
    before = diagnostics.representations(model, data.tokens, texts.rows)
    if META_LEARNER not in run.models() or not len(texts.held_out):
        return texts, before, None
    # One model, two encoders' weights: it is traced once.
    classifier.backbone.set_weights(run.load(META_LEARNER).backbone.get_weights())
    return texts, before, diagnostics.representations(model, data.tokens, texts.held_out)


def _complete_typicality(run: Run) -> pa.Table | None:
    """Return the typicalities, those of held-out texts too, which are scored now if need be."""
    typicality = _table(run.folder.typicality)
    asked = sum(len(rows) for rows in texts_to_score(run).values())
    if typicality is None or len(typicality) >= asked:
        return typicality
    score_texts(run)
    return _table(run.folder.typicality)


def _wrong_labels_found(run: Run) -> dict[str, Any] | None:
    """Do low typicality and the meta-learner's loss find the labels that `label_noise` flipped?"""
    if not run.config.data.label_noise:
        return None
    tokens, rows, suspicion = run.data.training_tokens, run.data.splits["train"], {}
    if run.folder.typicality.exists():
        suspicion["low typicality"] = -scoring.read_scores(run.folder.typicality)["train"]
    if META_LEARNER in run.models():
        learner, name = run.load(META_LEARNER), "losses of the training texts"
        probabilities = evaluation.class_probabilities(learner, name, tokens, rows)
        suspicion["high loss"] = 1 - probabilities[np.arange(len(rows)), tokens.labels[rows]]
    return reliability.wrong_labels_found(run.data.flipped, suspicion)


def _table(path: Path) -> pa.Table | None:
    return files.read_parquet(path) if path.exists() else None
