"""Classes that are added to a finished run, and removed."""

import numpy as np
import pytest

from easymft.config.method import META_LEARNER
from easymft.errors import InputError, InputErrors
from easymft.export.predictor import Predictor
from easymft.models.inference import predict
from easymft.runs.classes import add_class, remove_class
from easymft.runs.domains import add_domain
from easymft.runs.execution import execute
from tests.runs.conftest import write_texts
from tests.small_run import DOMAINS, texts

pytestmark = pytest.mark.long
TEXTS = [row["text"] for row in texts()[::7]]
COLUMNS = ("text", "label", "domain")


def rows_of(label="odd", domain="books"):
    """Texts of a new class, whose last word nobody else's are, and of an old one."""
    new = [{"text": f"{row['text']} ! ! !", "label": label, "domain": domain} for row in texts()]
    return [*new[:12], *texts()[:4]]


def logits(run, domain):
    model = run.domain_parts().beside(run.load(META_LEARNER))
    code = list(run.domain_parts().domains).index(domain)
    rows = run.data.rows_of("test")
    tokens = run.data.tokens
    object.__setattr__(tokens, "domains", np.full(len(tokens), code, np.int32))
    return predict(model, "test", tokens, rows)["logits"]


@pytest.mark.slow
def test_a_new_class_is_answered_and_the_old_logits_stay_bit_for_bit(run, tmp_path):
    learner, before = run.fingerprint(META_LEARNER), logits(run, "films")
    facts = add_class(run, write_texts(tmp_path / "new.csv", rows_of(), COLUMNS), " odd ")
    assert (facts["texts"], facts["texts_of_class"]) == (16, 12)
    assert facts["domains"] == ["books"]
    assert facts["models"] == ["export/combined/2"]
    assert run.fingerprint(META_LEARNER) == learner
    assert run.labels == ("bad", "good", "odd")
    after = logits(run, "films")
    np.testing.assert_array_equal(after[:, :2], before)
    answers = Predictor(run.folder.export)({"text": TEXTS, "domain": ["films"] * len(TEXTS)})
    assert np.min(answers["probability_odd"]) > 0
    # What the tiny encoder can learn of it: it comes up in books.
    given = [row["text"] for row in rows_of()][:12]
    found = Predictor(run.folder.export)({"text": given, "domain": ["books"] * 12})
    assert np.min(found["probability_odd"]) > np.max(answers["probability_odd"])

    # A domain that comes later has the class too, and a run is evaluated as it was trained.
    more = [{**row, "domain": "garden"} for row in rows_of()]
    add_domain(run, write_texts(tmp_path / "garden.csv", more), "garden")
    np.testing.assert_array_equal(logits(run, "films"), after)
    metrics = execute(run, "evaluate")["metrics"]
    assert set(metrics["fine_tuned"]["test"]["domains"]) == set(DOMAINS)

    assert remove_class(run, "odd")["models"] == ["export/combined/4"]
    np.testing.assert_array_equal(logits(run, "films"), before)
    assert len(list((run.folder.path / "added").iterdir())) == 1


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        (rows_of(), "good", r"`--name`: is a class of this run already \('bad', 'good'\)"),
        (rows_of(), " ", r"`--name`: must name a class"),
        (rows_of(), "od", r"new.csv:2: `label`: must be a class of this run .*did you mean 'od'"),
        (texts()[:4], "odd", r"new.csv: `label`: no text is of the class 'odd'"),
    ],
)
def test_classes_that_cannot_be_added_leave_the_run_as_it_was(run, tmp_path, rows, name, message):
    parts = run.folder.domain_parts.read_bytes()
    path = write_texts(tmp_path / "new.csv", rows, COLUMNS)
    with pytest.raises((InputError, InputErrors), match=message):
        add_class(run, path, name)
    with pytest.raises(InputError, match=r"^`--input`: no file found"):
        add_class(run, str(tmp_path / "nowhere.csv"), "odd")
    with pytest.raises(InputError, match=r"must be a class that was added \(none\)"):
        remove_class(run, "good")
    assert run.folder.domain_parts.read_bytes() == parts
