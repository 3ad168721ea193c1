"""The encoder's adaptation in whole runs on a tiny encoder: what it reads, and what follows it."""

import json

import numpy as np
import pytest

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.methods import adaptation
from easymft.runs.execution import execute
from easymft.runs.plan import plan
from easymft.runs.run import Run
from easymft.runs.shared_work import SharedWork
from tests.models.hugging_face import VOCABULARY
from tests.small_run import write_recipe

FEW = ["data.split.few_shot.per_class=2", 'data.split.few_shot.rest="unlabeled"']
ADAPT = ["adapt.epochs=2", "adapt.learning_rate=0.01", "adapt.batch_size=16"]


pytestmark = pytest.mark.usefixtures("fast")


@pytest.mark.long
def test_later_stages_begin_with_the_adapted_encoder(tmp_path, monkeypatch):
    read, path = [], write_recipe(tmp_path, method="mft")
    real = adaptation.adapt

    def adapt(config, backbone, tokens, rows, hiding, record):
        read.append((rows, hiding))
        return real(config, backbone, tokens, rows, hiding, record)

    monkeypatch.setattr(adaptation, "adapt", adapt)
    run = Run(load_config(path, [*FEW, *ADAPT]))
    planned = plan(run, text_seconds=0.5)
    # Of 12 texts of each domain and class dev and test get 2 each: 6 x 8 are read, twice.
    assert planned.steps["adapt"] == [2 * 3]
    assert planned.texts_seen == 2 * 48 + 12 * 3
    assert run.stages()[:3] == ["validate", "adapt", "typicality"]
    summary = execute(run)

    ((rows, hiding),) = read
    splits = json.loads(run.folder.splits.read_text())
    ids = run.data.corpus.table["id"].to_numpy()[rows].tolist()
    assert sorted(ids) == sorted(splits["train"] + splits["unlabeled"])
    assert (hiding.mask_id, hiding.special_ids) == (VOCABULARY.index("[MASK]"), (0, 2, 3, 4))
    history = summary["stages"]["adapt"]["history"]
    assert history[-1]["epoch"] == 2
    assert not run.checkpoint("adapted").folder.exists()
    words = (
        f"48 texts without their labels: 2 epochs, loss of hidden tokens {history[0]['loss']:.2f}"
    )
    assert words in (run.folder.path / "report.md").read_text()

    adapted, before = run.backbone().get_weights(), run.pretrained().get_weights()
    assert np.abs(adapted[0] - before[0]).max() > 1e-3
    # Typicality is that of the adapted encoder.
    embedder = run.new_classifier().backbone
    np.testing.assert_array_equal(embedder.get_weights()[0], adapted[0])

    # A run that differs in fine-tuning only gets the encoder too.
    other = Run(load_config(path, [*FEW, *ADAPT, "name=other", "fine_tune.epochs=2"]))
    SharedWork([run.config, other.config]).begin(other)
    assert other.folder.is_done("adapt")
    np.testing.assert_array_equal(other.backbone().get_weights()[0], adapted[0])

    # And so does one of another method, which checks its own data first.
    third = Run(load_config(path, [*FEW, *ADAPT, "method=mix", "keep_models=false"]))
    shared = SharedWork([run.config, third.config])
    shared.begin(third)
    for stage in ("validate", "adapt"):
        execute(third, stage)
    assert len(read) == 1
    facts = third.folder.facts("adapt")
    assert (facts["taken_from"], facts["history"]) == (str(run.folder.path), history)
    np.testing.assert_array_equal(third.backbone().get_weights()[0], adapted[0])
    # What was kept for others alone goes when the last of them has it.
    third.folder.mark_done("report", {})
    shared.end(third)
    assert run.folder.adapted.exists()
    assert not third.folder.adapted.exists()

    run.folder.adapted.unlink()
    with pytest.raises(InputError, match="this trained model is gone"):
        execute(run, "typicality")


def test_it_is_off_unless_asked_for_and_where_there_is_no_encoder(tmp_path):
    path = write_recipe(tmp_path)
    assert "adapt" not in Run(load_config(path)).stages()
    assert "adapt" not in Run(load_config(path, ["method=tfidf", *ADAPT])).stages()
    assert "adapt" in Run(load_config(path, ["method=embed", *ADAPT])).stages()


def test_a_vocabulary_without_a_mask_is_refused(tmp_path):
    tokenizer = Run(load_config(write_recipe(tmp_path))).data.preprocessor.tokenizer
    tokenizer.mask_token_id = None
    with pytest.raises(InputError, match="no mask token, by which `adapt` hides others"):
        adaptation.masking(tokenizer, 0.15)


def test_an_encoder_that_others_wait_for_outlives_the_models(tmp_path):
    path = write_recipe(tmp_path)
    first, second, other_seed = (
        Run(load_config(path, ["keep_models=false", *ADAPT, *settings]))
        for settings in (["method=mix"], ["method=mft"], ["method=mft", "seed=2"])
    )
    shared = SharedWork([run.config for run in (first, second, other_seed)])
    shared.begin(first)
    assert first.keeps_adapted
    checkpoints = first.folder.adapted.parent
    checkpoints.mkdir(parents=True)
    for name in ("adapted.weights.h5", "meta-learner.keras"):
        (checkpoints / name).write_text("weights")
    for stage in ("adapt", "report"):
        first.folder.mark_done(stage, {})
    first.folder.drop_models(but_encoder=first.keeps_adapted)
    assert [file.name for file in checkpoints.iterdir()] == ["adapted.weights.h5"]
    shared.begin(other_seed)
    assert other_seed.adapted_by is None
    shared.begin(second)
    assert second.adapted_by.folder.path == first.folder.path
    assert not second.keeps_adapted
    shared.end(first)
    assert checkpoints.exists()
    second.folder.mark_done("adapt", {})
    second.folder.adapted.parent.mkdir(parents=True)
    second.folder.adapted.write_text("weights")
    shared.end(second)
    assert not checkpoints.exists()
    # That of a run that goes on stays.
    assert second.folder.adapted.exists()
