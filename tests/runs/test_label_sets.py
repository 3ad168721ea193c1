"""Runs in which not every domain has all classes."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.export.predictor import Predictor
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.small_run import write_recipe

OF_TOOLS = ("broken", "whole")


pytestmark = pytest.mark.usefixtures("fast")


@pytest.fixture
def recipe(tmp_path):
    """Tools have classes that books and films do not have, and none of theirs."""
    path = write_recipe(tmp_path)
    table = pd.read_csv(tmp_path / "texts.csv")
    tools = table["domain"] == "tools"
    table.loc[tools, "label"] = table.loc[tools, "label"].map(
        dict(zip(("bad", "good"), OF_TOOLS, strict=True))
    )
    table.to_csv(tmp_path / "texts.csv", index=False)
    return path


SETS = {"books": ["bad", "good"], "films": ["bad", "good"], "tools": list(OF_TOOLS)}


@pytest.mark.long
@pytest.mark.parametrize("parts", [pytest.param("all", marks=pytest.mark.slow), "lora"])
@pytest.mark.parametrize(
    "sets",
    [
        pytest.param("found", id="found", marks=pytest.mark.slow),
        pytest.param(json.dumps(SETS), id="given"),
    ],
)
def test_no_domain_is_answered_with_a_class_it_does_not_have(recipe, parts, sets):
    settings = [f"data.label_sets={sets}", f"fine_tune.parts={parts}", "precision=float32"]
    run = Run(load_config(recipe, [*settings, "export.at_end=true", "export.single=true"]))
    execute(run)
    table = pq.read_table(run.folder.predictions).to_pandas()
    assert set(table["model"]) == {"meta_learner", "fine_tuned"}
    assert run.data.corpus.labels == ("bad", "broken", "good", "whole")
    for domain, own in SETS.items():
        rows = table[table["domain"] == domain]
        assert set(rows["predicted"]) <= set(own)
        allowed = np.isin(run.data.corpus.labels, own)
        assert (np.stack(rows["probabilities"])[:, ~allowed] == 0).all()

    tf.config.run_functions_eagerly(False)
    texts = ["the cafe", "good !", "good good"]
    for model, given in (("combined", {"domain": ["tools"] * 3}), ("tools", {})):
        answers = Predictor(run.folder.export / model)({"text": texts, **given})
        assert answers["probability_good"] == [0, 0, 0]
        assert np.min(answers["probability_whole"]) > 0
    unknown = Predictor(run.folder.export)({"text": texts, "domain": [""] * 3})
    assert min(min(unknown[f"probability_{label}"]) for label in run.data.corpus.labels) > 0


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"tool": ["broken"]}, "names 'tool', which .* did you mean 'tools'"),
        ({"tools": ["brokn"]}, "names 'brokn', which .* did you mean 'broken'"),
        ({"tools": ["broken"]}, "domain 'tools' does not have the class .* 'whole'"),
    ],
)
def test_sets_that_do_not_fit_the_texts_are_refused(recipe, sets, message):
    run = Run(load_config(recipe, [f"data.label_sets={json.dumps(sets)}"]))
    with pytest.raises(InputError, match=f"`data.label_sets`: .*{message}"):
        execute(run, "validate")


def test_methods_that_cannot_keep_to_them_say_so(recipe):
    run = Run(load_config(recipe, ["data.label_sets=found", "method=tfidf"]))
    with pytest.raises(InputError, match=r"`data.label_sets`: is not for the method `tfidf`"):
        execute(run, "validate")
