"""One encoder and a table of parts in one graph."""

import numpy as np
import pytest
import tensorflow as tf

from easymft.export import export_run
from easymft.export.op_check import used_ops
from easymft.export.version_folder import versions
from easymft.models import AdaptedTextClassifier
from easymft.models.domain_parts import DomainParts
from tests.export.conftest import DOMAINS, LABELS, expected, make_model

TEXTS = ["good", "the bad cafe", "good", "bad !", "the", "good cafe"]
ROUTES = ["dvd & co", "books", "", "music", "no such domain", "books"]
pytestmark = pytest.mark.long


def with_random_parts(domains, seed=0, learner=None, **kind):
    model = AdaptedTextClassifier.of_meta_learner(learner or make_model(1), len(domains), **kind)
    for number, domain in enumerate(domains):
        # What a domain has depends on its name, not on its place.
        random = np.random.default_rng([seed, *domain.encode()])
        tables = model.tables()
        for name, table in tables.items():
            tables[name] = np.array(table)
            tables[name][number] = random.normal(size=table.shape[1:])
        model.set_tables(tables)
    return model


def answers(version, texts=TEXTS, domains=ROUTES, signature="serving_default"):
    loaded = tf.saved_model.load(str(version))
    given = {"text": tf.constant(texts), "domain": tf.constant(domains)}
    return {name: value.numpy() for name, value in loaded.signatures[signature](**given).items()}


@pytest.fixture(scope="module", params=["lora", "bias", "head"])
def adapted(request):
    return with_random_parts(DOMAINS, parts=request.param)


@pytest.fixture(scope="module")
def version(adapted, preprocessor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    (path,) = export_run({}, preprocessor, LABELS, DOMAINS, folder, combined=adapted, single=False)
    return path


def test_every_row_is_answered_with_its_domains_parts(adapted, version, preprocessor):
    found = answers(version)["probabilities"]
    for row, (text, domain) in enumerate(zip(TEXTS, ROUTES, strict=True)):
        code = DOMAINS.index(domain) if domain in DOMAINS else -1
        own = expected(adapted, preprocessor, [text], domain=code)[0]
        np.testing.assert_allclose(found[row], own, atol=1e-5)
        if code >= 0:
            merged = expected(adapted.merged(code), preprocessor, [text])[0]
            np.testing.assert_allclose(found[row], merged, atol=1e-4)
            assert np.abs(own - expected(adapted, preprocessor, [text], domain=-1)[0]).max() > 1e-3


def test_the_graph_holds_one_encoder_and_looks_domains_up_in_a_table(version):
    reader = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    shapes = list(reader.get_variable_to_shape_map().values())
    assert shapes.count([11, 8]) == 1  # the embeddings of the vocabulary's 11 words
    assert "LookupTableFindV2" in used_ops(version)
    assert [path.name for path in version.parents[1].iterdir() if path.is_dir()] == ["combined"]


def test_the_other_signatures_know_the_domains_too(adapted, version):
    embeddings = answers(version, signature="embed")["embedding"]
    assert embeddings.shape == (6, 8)
    if adapted.parts != "head":
        both = answers(version, ["good"] * 2, ["books", "music"], "embed")["embedding"]
        assert np.abs(both[0] - both[1]).max() > 1e-3


def test_more_domains_leave_the_answers_of_the_others_as_they_are(
    adapted, version, preprocessor, tmp_path
):
    before = answers(version)["probabilities"]
    more = with_random_parts(("garden", *DOMAINS), parts=adapted.parts)
    names = ("garden", *DOMAINS)
    parts = DomainParts.of(more, names).of_domains((*DOMAINS, "garden"))
    (path,) = export_run(
        {},
        preprocessor,
        LABELS,
        parts.domains,
        tmp_path,
        combined=parts.beside(make_model(1)),
        single=False,
    )
    np.testing.assert_array_equal(answers(path)["probabilities"], before)
    garden = answers(path, ["good"], ["garden"])["probabilities"]
    assert np.abs(garden - answers(path, ["good"], [""])["probabilities"]).max() > 1e-3


def test_a_version_is_made_only_where_something_changed(preprocessor, tmp_path):
    adapted = with_random_parts(DOMAINS, parts="head")
    arguments = ({"meta-learner": make_model(1)}, preprocessor, LABELS, DOMAINS, tmp_path)
    for source, newest in (("a", 1), ("a", 1), ("b", 2)):
        sources = {None: source, "meta-learner": "same"}
        export_run(*arguments, combined=adapted, sources=sources)
        assert versions(tmp_path / "combined")[-1] == newest
        assert versions(tmp_path / "meta-learner") == [1]
