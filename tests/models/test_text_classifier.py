import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import accuracy_score

from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
)
from tests.layers import oracle
from tests.models.tiny import (
    NUM_CLASSES,
    NUM_DOMAINS,
    WIDTH,
    arrays,
    compiled,
    scramble,
    tiny_backbone,
)

MODELS = [
    TextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    AdversarialTextClassifier,
]


def logits_of(model, inputs, **kwargs):
    return ops.convert_to_numpy(model(inputs, **kwargs)["logits"])


def text_embedding(backbone, inputs):
    """E(x) by the numpy oracle, from the backbone's own output."""
    tokens = {name: inputs[name] for name in backbone.input}
    output = backbone(tokens)
    sequence = output["sequence_output"] if isinstance(output, dict) else output
    return oracle.masked_mean(ops.convert_to_numpy(sequence), inputs["padding_mask"])


def test_logits_are_the_class_head_on_the_mean_token(backbone, inputs):
    model = TextClassifier(backbone, NUM_CLASSES)
    scramble(model.class_head)
    kernel, bias = model.class_head.get_weights()
    outputs = compiled(model).predict(inputs, verbose=0)
    assert set(outputs) == {"logits"}
    assert outputs["logits"].dtype == "float32"
    expected = text_embedding(backbone, inputs) @ kernel + bias
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)


def test_what_stands_at_a_padded_place_is_not_seen(backbone, inputs):
    model = TextClassifier(backbone, NUM_CLASSES)
    scramble(model.class_head)
    other = {**inputs, "token_ids": np.where(inputs["padding_mask"], inputs["token_ids"], 13)}
    assert (other["token_ids"] != inputs["token_ids"]).any()
    np.testing.assert_allclose(logits_of(model, other), logits_of(model, inputs), atol=1e-6)


def test_the_pooler_is_trained_only_where_it_is_read(backbone, inputs):
    model = TextClassifier(backbone, NUM_CLASSES, embedding="pooler")
    tokens = {name: inputs[name] for name in backbone.input}
    np.testing.assert_allclose(
        ops.convert_to_numpy(model.embed(inputs)),
        ops.convert_to_numpy(backbone(tokens)["pooled_output"]),
        atol=1e-6,
    )
    pooler = backbone.pooled_dense.kernel
    assert any(v is pooler for v in model.trainable_variables)
    model = TextClassifier(backbone, NUM_CLASSES, embedding="mean")
    assert not any(v is pooler for v in model.trainable_variables)


def test_dropout_before_the_class_head_is_for_training_alone(backbone, inputs):
    model = TextClassifier(backbone, NUM_CLASSES, dropout=0.5)
    scramble(model.class_head)
    np.testing.assert_array_equal(logits_of(model, inputs), logits_of(model, inputs))
    trained = [logits_of(model, inputs, training=True) for _ in range(2)]
    assert (trained[0] != trained[1]).any()


@pytest.mark.parametrize(
    ("normalization", "weighted", "divisor"),
    [("batch", True, 8), ("nonzero", True, 6), ("batch", False, 8), ("nonzero", False, 8)],
)
def test_loss_divides_by_the_texts_or_by_those_that_count(
    backbone, inputs, labels, typicality, normalization, weighted, divisor
):
    model = compiled(TextClassifier(backbone, NUM_CLASSES, loss_normalization=normalization))
    scramble(model.class_head)
    weights = typicality if weighted else None  # two of the eight are zero
    outputs = model(inputs)
    loss = model.compute_loss(inputs, labels, outputs, weights)
    entropy = oracle.cross_entropy(ops.convert_to_numpy(outputs["logits"]), labels)
    expected = (entropy * (typicality if weighted else 1.0)).sum() / divisor
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_weights_that_are_all_zero_give_a_loss_of_zero(backbone, inputs, labels):
    model = compiled(TextClassifier(backbone, NUM_CLASSES, loss_normalization="nonzero"))
    assert float(model.compute_loss(inputs, labels, model(inputs), np.zeros(8))) == 0.0


@pytest.mark.long
def test_fit_lowers_the_loss_and_reports_each_domain(backbone, inputs, labels):
    model = TextClassifier(backbone, NUM_CLASSES, NUM_DOMAINS, dropout=0.0)
    scramble(model.class_head)
    losses = compiled(model).fit(inputs, labels, epochs=3, verbose=0).history["loss"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.01
    figures = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    guesses = logits_of(model, inputs).argmax(axis=1)
    for k in range(NUM_DOMAINS):
        mine = inputs["domain"] == k
        assert figures[f"accuracy_domain_{k}"] == pytest.approx(
            accuracy_score(labels[mine], guesses[mine])
        )


def sparse(**kwargs):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, **kwargs)


def smoothed_entropy(logits, labels):
    """Of labels of which 0.2 is spread over both classes."""
    wrong = oracle.cross_entropy(logits, 1 - labels)
    return 0.9 * oracle.cross_entropy(logits, labels) + 0.1 * wrong


def focal_entropy(logits, labels):
    """Keras' alpha of 0.25 and gamma of 2."""
    entropy = oracle.cross_entropy(logits, labels)
    return 0.25 * (1 - np.exp(-entropy)) ** 2 * entropy


CATEGORICAL = keras.losses.CategoricalCrossentropy(from_logits=True)
SMOOTHED = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
FOCAL = keras.losses.CategoricalFocalCrossentropy(from_logits=True)
FORMS = {
    "column": (sparse(), lambda y: y[:, None], oracle.cross_entropy),
    "one-hot": (CATEGORICAL, lambda y: np.eye(2, dtype="float32")[y], oracle.cross_entropy),
    "smoothed": (SMOOTHED, lambda y: np.eye(2, dtype="float32")[y], smoothed_entropy),
    "focal": (FOCAL, lambda y: np.eye(2, dtype="float32")[y], focal_entropy),
    "loss by name": ({"logits": sparse()}, lambda y: y, oracle.cross_entropy),
    "both by name": ({"logits": sparse()}, lambda y: {"logits": y}, oracle.cross_entropy),
    "labels by name": (sparse(), lambda y: {"logits": y}, oracle.cross_entropy),
}


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model_class", MODELS)
def test_labels_and_losses_of_every_form(model_class, form, inputs, labels, typicality):
    loss, of_form, entropy = FORMS[form]
    model = model_class(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS, dropout=0.0)
    scramble(model.class_head)
    model.compile(
        keras.optimizers.SGD(0.1),
        loss,
        metrics={"logits": ["accuracy"]},
        run_eagerly=True,
        jit_compile=False,
    )
    columns = {**inputs, "domain": inputs["domain"][:, None]}
    y, t = of_form(labels), typicality[:, None]
    before = arrays(model.class_head.weights)
    model.fit(columns, y, sample_weight=t, batch_size=8, verbose=0)
    assert any(
        (a != b).any() for a, b in zip(before, arrays(model.class_head.weights), strict=True)
    )
    logits = logits_of(model, inputs)
    figures = model.evaluate(columns, y, sample_weight=t, verbose=0, return_dict=True)
    expected = (typicality * entropy(logits, labels)).mean()
    assert figures["loss"] == pytest.approx(expected, rel=1e-4)
    hits = logits.argmax(axis=1) == labels
    assert figures["accuracy"] == hits.mean()
    for k in range(NUM_DOMAINS):
        assert figures[f"accuracy_domain_{k}"] == pytest.approx(hits[inputs["domain"] == k].mean())


def test_a_loss_of_another_output_is_refused(backbone, inputs, labels):
    model = TextClassifier(backbone, NUM_CLASSES)
    model.compile("sgd", {"logit": sparse()}, run_eagerly=True)
    with pytest.raises(ValueError, match=r"Expected keys \('logits',\) in loss dict"):
        model.fit(inputs, labels, verbose=0)
    with pytest.raises(ValueError, match=r"one output.*Received: 2 arrays"):
        model.fit(inputs, {"logits": labels, "more": labels}, verbose=0)


def test_without_domains_there_are_no_metrics_of_domains(backbone, inputs, labels):
    tokens = {name: array for name, array in inputs.items() if name != "domain"}
    model = compiled(TextClassifier(backbone, NUM_CLASSES), metrics=["accuracy"])
    figures = model.evaluate(tokens, labels, verbose=0, return_dict=True)
    assert set(figures) == {"loss", "accuracy"}
    guesses = logits_of(model, tokens).argmax(axis=1)
    assert figures["accuracy"] == pytest.approx(accuracy_score(labels, guesses))


@pytest.mark.parametrize("model_class", [MFTTextClassifier, AdversarialTextClassifier])
def test_without_heads_shares_the_encoder_and_copies_the_class_head(model_class, inputs):
    model = model_class(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS)
    scramble(model.class_head)
    plain = model.without_heads()
    assert type(plain) is TextClassifier
    assert plain.backbone is model.backbone
    assert len(plain.weights) == len(model.backbone.weights) + 2
    np.testing.assert_array_equal(logits_of(plain, inputs), logits_of(model, inputs))
    plain.reset_class_head()
    assert (logits_of(plain, inputs) != logits_of(model, inputs)).any()


def test_from_classifier_keeps_the_arguments(backbone, inputs):
    model = TextClassifier(backbone, NUM_CLASSES, NUM_DOMAINS, "pooler", 0.3, "nonzero")
    assert model.without_heads() is model
    copy = TextClassifier.from_classifier(model)
    ours, theirs = model.get_config(), copy.get_config()
    assert ours.pop("name") != theirs.pop("name")
    assert ours == theirs


def test_reset_class_head_draws_it_anew_and_nothing_else(backbone):
    model = TextClassifier(backbone, NUM_CLASSES)
    scramble(model.class_head)
    encoder = arrays(backbone.weights)
    model.reset_class_head()
    kernel, bias = model.class_head.get_weights()
    assert 0 < np.abs(kernel).max() <= 0.04 + 1e-6  # a normal of 0.02 cut at two deviations
    np.testing.assert_array_equal(bias, np.zeros(NUM_CLASSES))
    for old, new in zip(encoder, arrays(backbone.weights), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.long
@pytest.mark.parametrize("model_class", MODELS)
def test_half_precision_ends_before_the_class_head(model_class, inputs, labels, mixed_bfloat16):
    model = model_class(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS)
    scramble(model.class_head)
    encoded = model.encode(inputs)["sequence"]
    assert keras.backend.standardize_dtype(encoded.dtype) == "bfloat16"
    outputs = model(inputs, training=True)
    assert {keras.backend.standardize_dtype(v.dtype) for v in outputs.values()} == {"float32"}
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.weights} == {"float32"}
    embedding = ops.convert_to_numpy(model.embed(inputs))
    kernel, bias = model.class_head.get_weights()
    every = (embedding @ kernel + bias).reshape(8, -1, NUM_CLASSES)
    own = inputs["domain"] if every.shape[1] > 1 else 0
    np.testing.assert_allclose(logits_of(model, inputs), every[np.arange(8), own], atol=1e-6)
    compiled(model)
    assert np.isfinite(float(model.compute_loss(inputs, labels, outputs)))
    copy = model_class.from_config(model.get_config())
    assert copy.backbone.get_config() == model.backbone.get_config()


@pytest.mark.long
@pytest.mark.parametrize("architecture", ["Roberta", "DistilBert"])
@pytest.mark.parametrize("embedding", ["mean", "pooler"])
def test_encoders_without_segments(architecture, embedding, inputs, labels):
    model = TextClassifier(tiny_backbone(architecture), NUM_CLASSES, embedding=embedding)
    scramble(model.class_head)
    assert "segment_ids" not in model.backbone.input
    tokens = {name: inputs[name] for name in ("token_ids", "padding_mask")}
    np.testing.assert_array_equal(logits_of(model, tokens), logits_of(model, inputs))
    if embedding == "mean":
        expected = text_embedding(model.backbone, tokens)
    else:  # no pooler: the first token's vector
        expected = ops.convert_to_numpy(model.backbone(tokens))[:, 0]
    np.testing.assert_allclose(ops.convert_to_numpy(model.embed(tokens)), expected, atol=1e-5)
    before = arrays(model.backbone.weights)
    loss = compiled(model).train_on_batch(tokens, labels)
    assert np.isfinite(loss)
    assert any((a != b).any() for a, b in zip(before, arrays(model.backbone.weights), strict=True))


def test_symbolic_inputs_give_a_functional_graph(backbone, inputs):
    model = TextClassifier(backbone, NUM_CLASSES)
    symbols = {n: keras.Input((None,), dtype="int32", name=n) for n in backbone.input}
    embedder = keras.Model(symbols, model.embed(symbols))
    assert embedder.output.shape == (None, WIDTH)
    tokens = {name: inputs[name] for name in backbone.input}
    np.testing.assert_array_equal(
        ops.convert_to_numpy(embedder(tokens)), ops.convert_to_numpy(model.embed(inputs))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 0}, "`num_classes` must be an integer of at least 1. Received: 0"),
        ({"num_classes": 2.5}, "`num_classes` must be an integer"),
        ({"num_classes": 1, "num_domains": 3}, "`num_classes` must be at least 2"),
        ({"num_domains": -1}, "`num_domains` must be an integer"),
        ({"embedding": "cls"}, "`embedding` must be one of 'mean', 'pooler'. Received: 'cls'"),
        ({"loss_normalization": "sum"}, "`loss_normalization` must be one of 'batch', 'nonzero'"),
    ],
)
def test_refuses(backbone, arguments, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier(backbone, **{"num_classes": 2, **arguments})
