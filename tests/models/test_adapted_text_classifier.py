import functools

import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import AdaptedTextClassifier, TextClassifier, adapter_sites, use_cpu_kernels
from easymft.models.adapted_text_classifier import PARTS
from tests.models.tiny import (
    NUM_CLASSES,
    NUM_DOMAINS,
    WIDTH,
    compiled,
    scramble,
    tiny_backbone,
    traced,
)

ARCHITECTURES = ["Bert", "Roberta", "DistilBert", "Albert", "DebertaV3"]
SETTINGS = {"Albert": {"embedding_dim": WIDTH}, "DebertaV3": {"bucket_size": 4}}
KINDS = [*({"parts": parts} for parts in PARTS), {"parts": "lora", "kernels": ["feed_forward"]}]


def meta_learner(architecture="Bert", **kwargs):
    keras.utils.set_random_seed(3)
    backbone = tiny_backbone(architecture, **SETTINGS.get(architecture, {}), **kwargs)
    model = TextClassifier(backbone, NUM_CLASSES, NUM_DOMAINS, dropout=0.0)
    scramble(model)
    return model


def adapted(learner, scrambled=True, **kwargs):
    """Parts beside a meta-learner, at random: as if something had been learned."""
    model = AdaptedTextClassifier.of_meta_learner(learner, NUM_DOMAINS, seed=1, **kwargs)
    if scrambled:
        random = np.random.default_rng(5)
        model.set_tables({n: random.normal(0, 0.5, t.shape) for n, t in model.tables().items()})
    return model


def logits(model, inputs):
    return ops.convert_to_numpy(model(inputs)["logits"])


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_text_is_answered_with_its_own_domains_parts_in_the_weights(
    architecture, kind, inputs
):
    learner = meta_learner(architecture)
    model = adapted(learner, **kind)
    names = learner.encoder.input
    inputs = {name: value for name, value in inputs.items() if name in (*names, "domain")}
    found = logits(model, inputs)
    for domain in range(NUM_DOMAINS):
        own = inputs["domain"] == domain
        expected = logits(model.merged(domain), inputs)
        np.testing.assert_allclose(found[own], expected[own], atol=2e-4)
    assert np.abs(found - logits(learner, inputs)).max() > 0.01


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_unknown_domains_and_none_are_the_meta_learner_bit_for_bit(kind, inputs):
    learner = meta_learner()
    expected = logits(learner, inputs)
    model = adapted(learner, **kind)
    for domain in (-1, NUM_DOMAINS, 2**31 - 1):
        unknown = {**inputs, "domain": np.full(8, domain, "int32")}
        np.testing.assert_array_equal(logits(model, unknown), expected)
    nameless = {name: value for name, value in inputs.items() if name != "domain"}
    np.testing.assert_array_equal(logits(model, nameless), expected)
    np.testing.assert_array_equal(logits(learner, inputs), expected)
    np.testing.assert_array_equal(
        logits(adapted(learner, scrambled=False, **kind), inputs), expected
    )


@pytest.mark.parametrize("parts", PARTS)
def test_a_step_moves_the_parts_of_the_batchs_domains_and_nothing_else(parts, inputs, labels):
    learner = meta_learner()
    model = adapted(learner, parts=parts)
    shared, before = model.backbone.get_weights(), model.tables()
    two = np.isin(inputs["domain"], [0, 2])
    compiled(model).fit({k: v[two] for k, v in inputs.items()}, labels[two], verbose=0)
    for old, new in zip(shared, model.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for name, table in model.tables().items():
        changed = [bool((row != old).any()) for row, old in zip(table, before[name], strict=True)]
        assert changed == [True, False, True], name


def test_lora_has_factors_beside_the_kernels_asked_for():
    learner = meta_learner()
    names = {name.split("/")[0] for name in adapted(learner, parts="lora").tables()}
    assert names == {f"layer_{n}_{site}" for n in (0, 1) for site in ("query", "value")} | {"head"}
    names = set(adapted(learner, parts="lora", kernels=["feed_forward"], rank=2).tables())
    assert "layer_1_feedforward_output_dense/factor_b" in names
    assert len(names) == 2 * 2 * 2 + 2


def test_bias_shifts_what_has_a_bias_but_keys():
    tables = adapted(meta_learner(), parts="bias").tables()
    # Per layer: query, value, attention output, two of the feed-forward, two normalizations.
    assert len(tables) == 2 * 7 + 2
    assert tables["layer_0_query/shifts"].shape == (NUM_DOMAINS, WIDTH)
    assert not any("key" in name for name in tables)


@pytest.mark.long
@pytest.mark.parametrize("parts", PARTS)
def test_saved_and_loaded_it_answers_alike(parts, inputs, tmp_path):
    model = adapted(meta_learner(), parts=parts)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(logits(loaded, inputs), logits(model, inputs))


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_unknown_domains_are_the_meta_learner_where_prediction_is_traced_too(dtype, inputs):
    learner = compiled(meta_learner(dtype=dtype), **traced())
    # As runs and exports do; Keras' own product and sum TensorFlow may round as one op.
    use_cpu_kernels(learner)
    unknown = {**inputs, "domain": np.full(8, -1, "int32")}
    expected = learner.predict(inputs, verbose=0)["logits"]
    for parts in PARTS:
        model = compiled(adapted(learner, parts=parts), **traced())
        use_cpu_kernels(model)
        found = model.predict(unknown, verbose=0)["logits"]
        if dtype == "float32" and keras.backend.backend() == "tensorflow":
            np.testing.assert_array_equal(found, expected)
        # A compiler that fuses bias and GELU rounds once where it otherwise rounds twice.
        np.testing.assert_allclose(found, expected, atol=0.01)
        assert np.abs(model.predict(inputs, verbose=0)["logits"] - expected).max() > 0.02


@pytest.mark.long
@pytest.mark.parametrize("parts", PARTS)
def test_domains_come_and_go_and_the_others_stay(parts, inputs, labels):
    model = adapted(meta_learner(), parts=parts)
    before = logits(model, inputs)
    more = model.add_domain(inputs, labels, learning_rate=0.1, epochs=2)
    np.testing.assert_array_equal(logits(more, inputs), before)
    np.testing.assert_array_equal(logits(model, inputs), before)
    new = {**inputs, "domain": np.full(8, NUM_DOMAINS, "int32")}
    assert np.abs(logits(more, new) - logits(model, new)).max() > 0.01
    fewer = more.remove_domain(1)
    assert fewer.num_domains == NUM_DOMAINS
    moved = {**inputs, "domain": inputs["domain"] - (inputs["domain"] == 2)}
    others = inputs["domain"] != 1
    np.testing.assert_array_equal(logits(fewer, moved)[others], before[others])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": "all"}, "`parts` must be one of 'lora', 'bias', 'head'. Received: 'all'"),
        ({"kernels": ["key"]}, "`kernels` must be some of query, value, feed_forward"),
        ({"kernels": []}, "`kernels` must be some of query, value, feed_forward"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        adapted(meta_learner(), **arguments)


def test_tables_of_another_kind_are_refused():
    model = adapted(meta_learner(), parts="head")
    with pytest.raises(ValueError, match="`tables` must be named head/kernels, head/shifts"):
        model.set_tables({})


def test_a_keras_that_does_not_ask_a_layer_by_its_call_is_refused(inputs, monkeypatch):
    model = adapted(meta_learner(), parts="bias")
    for site in model._sites[:1]:
        monkeypatch.setattr(site, "call", functools.partial(type(site).call, site))
    with pytest.raises(RuntimeError, match=rf"does not ask {model._sites[0].name} by their `call`"):
        logits(model, inputs)


def test_an_encoder_whose_projections_are_called_otherwise_is_refused(monkeypatch):
    monkeypatch.setitem(adapter_sites.KERNELS, "query", ("query_dense",))
    with pytest.raises(RuntimeError, match="BertBackbone has no layers query_dense"):
        adapted(meta_learner(), parts="lora")
