"""A run: its stages in order, and how it goes on after an interruption."""

import logging
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from easymft import files
from easymft.config import Config
from easymft.distribution import precision_policy
from easymft.errors import InputError
from easymft.methods import METHODS, evaluation, typicality
from easymft.methods.trainer import Trainer, discard
from easymft.models import TextClassifier, TextEmbedder
from easymft.models.backbone import load_backbone
from easymft.report import render_markdown
from easymft.run_data import RunData
from easymft.run_folder import META_LEARNER, RunFolder

logger = logging.getLogger(__name__)

Facts = dict[str, Any]


class Experiment:
    """One run of one recipe.

    Every stage writes its results and then a marker into the run folder; a stage with a marker is
    skipped, so the same command goes on where it was interrupted and ends with the same numbers.

    Args:
        config: The complete recipe.
    """

    def __init__(self, config: Config):
        self.config = config
        self.method = METHODS[config.method]
        self.folder = RunFolder(config)
        self.data = RunData(config, self.folder)

    def stages(self) -> dict[str, Callable[[], Facts]]:
        """Stage name -> function, in order; stages that the method lacks are left out."""
        stages: dict[str, Callable[[], Facts]] = {"validate": self.validate}
        if self.method.uses_typicality:
            stages["typicality"] = self.typicality
        if self.method.build is not None:
            stages["meta_fine_tune"] = self.meta_fine_tune
        if self.method.fine_tunes:
            stages["fine_tune"] = self.fine_tune
        return {
            **stages,
            "evaluate": self.evaluate,
            "report": self.report,
            "export": self.export,
        }

    def run(self, only: str | None = None) -> Facts:
        """Run all unfinished stages, or the stage named `only` once more; return the summary.

        Raises:
            InputError: The data cannot be used, the folder is another run's, or `only` needs a
                stage that has not run yet.
        """
        self.folder.open()
        stages = self.stages()
        if only is not None and only not in stages:
            raise InputError(
                f"method `{self.config.method}` has no stage `{only}`; it has {', '.join(stages)}",
                field="--mode",
            )
        for name, stage in stages.items():
            if name == "export" != only and not self.config.export:
                continue
            done = self.folder.is_done(name)
            if name == only or (only is None and not done):
                self._run_stage(name, stage)
            elif only is not None and not done:
                raise InputError(
                    f"stage `{only}` needs `{name}` first; run `--mode {name}`, or all stages",
                    field="--mode",
                )
            if name == only:
                break
        return self.summary()

    def _run_stage(self, name: str, stage: Callable[[], Facts]) -> None:
        logger.info("Stage %s ...", name)
        # What a stage draws depends on the stage alone, not on what ran before it.
        keras.utils.set_random_seed(self.config.seed)
        start = time.monotonic()
        facts = stage()
        seconds = round(time.monotonic() - start, 1)
        self.folder.mark_done(name, {"seconds": seconds, **facts})
        logger.info("Stage %s: done in %.0f s.", name, seconds)

    # --- Stages: each returns facts for its marker ------------------------------------------

    def validate(self) -> Facts:
        """Check the data and write the splits; raises `InputError` where training is senseless."""
        splits, dropped, report = self.data.checked_splits()
        for line in report.lines():
            logger.info("%s", line)
        report.raise_for_problems()
        self.data.save_splits(splits)
        corpus = self.data.corpus
        return {
            "corpus": corpus.name,
            "origin": corpus.origin,
            "is_sample": corpus.is_sample,
            "fingerprint": self.data.fingerprint,
            "notes": [*corpus.notes, *report.warnings],
            "leaks_dropped": dropped,
            "counts": report.counts,
            "lengths": report.lengths,
            "length_unit": report.length_unit,
            "labels": list(corpus.labels),
            "domains": list(corpus.domains),
        }

    def typicality(self) -> Facts:
        """Score the training texts with the encoder as it was pre-trained."""
        corpus, mft, rows = self.data.corpus, self.config.mft, self.data.splits["train"]
        if "typicality" in corpus.table.column_names:
            scores = corpus.table["typicality"].to_numpy()[rows]
        else:
            embedder = TextEmbedder(self.new_classifier())
            embeddings = typicality.text_embeddings(embedder, self.data.tokens, rows)
            labels, domains = corpus.codes("label")[rows], corpus.codes("domain")[rows]
            weighting = typicality.weighting(self.data.num_classes, self.data.num_domains, mft)
            weighting.adapt(embeddings, labels, domains)
            scores = keras.ops.convert_to_numpy(weighting.raw_scores(embeddings, labels, domains))
        files.write_parquet(self.folder.typicality, typicality.table(corpus, rows, scores))
        clipped = 0 if mft.clip is None else int((scores < mft.clip).sum())
        if clipped:
            logger.warning("%d typicalities lie below %g and are clipped.", clipped, mft.clip)
        return {"mean": float(scores.mean()), "clipped": clipped, "texts": len(scores)}

    def meta_fine_tune(self) -> Facts:
        """Train one model on all domains mixed."""
        phase, _ = self.method.phases(self.config)
        rows = self.data.splits["train"]
        model = self.method.build(
            self._backbone(),
            self.config,
            self.data.num_classes,
            self.data.num_domains,
            phase.steps(len(rows)),
        )
        checkpoint = self.folder.checkpoint(META_LEARNER)
        history = Trainer(model, phase, self.config.optimizer, self.config.seed).run(
            "meta fine-tuning" if self.method.fine_tunes else "training",
            self.data.tokens,
            rows,
            checkpoint,
            sample_weight=self._training_weights(),
            dev_rows=self.data.splits["dev"],
        )
        # What later stages need: the classifier, without the heads that only training has.
        self._keep(model.plain(), META_LEARNER)
        discard(checkpoint)
        return {"history": history}

    def fine_tune(self) -> Facts:
        """Train one copy of the meta-learner per domain."""
        _, phase = self.method.phases(self.config)
        model = self._start_of_fine_tuning()
        start = model.get_weights()
        trainer = Trainer(model, phase, self.config.optimizer, self.config.seed)
        history = {}
        for code, domain in enumerate(self.data.corpus.domains):
            name, stage = self._model_name(code), f"fine_tune-{code}"
            if not self.folder.is_done(stage):
                model.set_weights(start)
                checkpoint = self.folder.checkpoint(name)
                curve = trainer.run(
                    f"fine-tuning {domain}",
                    self.data.tokens,
                    self.data.rows_of("train", code),
                    checkpoint,
                    dev_rows=self.data.rows_of("dev", code),
                )
                self._keep(model, name)
                self.folder.mark_done(stage, {"history": curve})
                discard(checkpoint)
            history[domain] = self.folder.facts(stage)["history"]
        return {"history": history}

    def evaluate(self) -> Facts:
        """Predict dev and test once with every model; write predictions and metrics."""
        corpus, models = self.data.corpus, self._models()
        # One model, many weights: prediction is traced once.
        model = keras.saving.load_model(self.folder.model(models[0][0]), compile=False)
        tables = []
        for name, domain in models:
            model.load_weights(self.folder.model(name))
            kind = "meta_learner" if domain is None else "fine_tuned"
            parts = {
                split: self.data.splits[split]
                if domain is None
                else self.data.rows_of(split, domain)
                for split in ("dev", "test")
            }
            rows = np.concatenate(list(parts.values()))
            probabilities = evaluation.predict(model, self.data.tokens, rows)
            splits = np.repeat(list(parts), [len(part) for part in parts.values()])
            tables.append(evaluation.predictions_table(corpus, rows, probabilities, kind, splits))
        predictions = pa.concat_tables(tables)
        files.write_parquet(self.folder.predictions, predictions)
        metrics = evaluation.metrics(predictions, corpus.labels, corpus.domains)
        files.write_json(self.folder.metrics, metrics)
        return {}

    def report(self) -> Facts:
        """Write `report.md`: results, data, typicality, how to repeat it."""
        files.write_text(self.folder.path / "report.md", render_markdown(self.summary()))
        return {}

    def export(self) -> Facts:
        """Export every model, and all of them as one, for TensorFlow Serving."""
        # Imported here: TensorFlow only, where training runs on other backends too.
        from easymft.export import export_run

        corpus = self.data.corpus
        models = {
            META_LEARNER if domain is None else corpus.domains[domain]: keras.saving.load_model(
                self.folder.model(name), compile=False
            )
            for name, domain in self._models()
        }
        paths = export_run(
            models,
            self.data.preprocessor,
            corpus.labels,
            corpus.domains,
            self.folder.export,
            pair=corpus.is_pair,
        )
        return {"models": [str(path.relative_to(self.folder.path)) for path in paths]}

    # --- What the stages share --------------------------------------------------------------

    def summary(self) -> Facts:
        """Everything a report shows, as plain values, from what the run folder holds."""
        folder = self.folder
        count = self.config.case_study
        return {
            "config": self.config.to_dict(),
            "versions": folder.versions(),
            "method": self.method.title,
            "folder": str(folder.path),
            "stages": {name: folder.facts(name) for name in self.stages() if folder.is_done(name)},
            "metrics": files.read_json(folder.metrics) if folder.metrics.exists() else None,
            "case_study": (
                typicality.case_study(folder.typicality, self.data.corpus, count)
                if folder.typicality.exists()
                else []
            ),
        }

    def _backbone(self) -> keras.Model:
        config = self.config
        return load_backbone(
            config.backbone.preset,
            dropout=config.backbone.dropout,
            dtype=precision_policy(config.precision),
        )

    def new_classifier(self) -> TextClassifier:
        """An untrained class head on the encoder as it was pre-trained."""
        return TextClassifier(
            self._backbone(),
            self.data.num_classes,
            self.data.num_domains,
            embedding=self.config.mft.embedding,
            dropout=self.config.dropout,
        )

    def _start_of_fine_tuning(self) -> TextClassifier:
        """The meta-learner, or the encoder as pre-trained where a method has no mixed phase."""
        if self.method.build is None:
            return self.new_classifier()
        model = keras.saving.load_model(self.folder.model(META_LEARNER), compile=False)
        if not self.config.mft.keep_class_head:
            model.reset_class_head()
        return model

    def _training_weights(self) -> np.ndarray | None:
        """One weight per training text, or `None` where the method does not weight them."""
        if not self.method.uses_typicality:
            return None
        return typicality.training_weights(self.folder.typicality, self.config.mft)

    def _models(self) -> list[tuple[str, int | None]]:
        """Names of the trained models, each with the code of its only domain, if any."""
        models: list[tuple[str, int | None]] = []
        if self.method.build is not None:
            models.append((META_LEARNER, None))
        if self.method.fine_tunes:
            models += [(self._model_name(code), code) for code in range(self.data.num_domains)]
        return models

    def _model_name(self, code: int) -> str:
        # The number keeps domains apart that differ only in characters a file name cannot have.
        return f"{code}-{files.slug(self.data.corpus.domains[code])}"

    def _keep(self, model: TextClassifier, name: str) -> None:
        """Save a model for use, without the state of its training."""
        clone = type(model).from_config(model.get_config())
        clone.set_weights(model.get_weights())
        with files.staged(self.folder.model(name)) as path:
            clone.save(path)
