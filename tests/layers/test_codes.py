import keras
import numpy as np
import pytest

from easymft.layers import DomainCorruptionHead, TypicalityWeighting
from easymft.layers.codes import codes

EMBEDDINGS = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")
LABELS, DOMAINS = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2])


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def column(values):
    return np.asarray(values)[:, None]


@pytest.mark.parametrize(
    ("values", "in_range"),
    [
        (np.array([-1, 0, 2, 3]), [False, True, True, False]),
        (np.array([-0.5, 0.0, 2.5, np.nan], "float32"), [False, True, False, False]),
        (np.array([0, 2, 3, 255], "uint8"), [True, True, False, False]),
        (np.array([False, True, True, False]), [True] * 4),
    ],
)
def test_what_is_no_code_is_told_apart(values, in_range):
    for shape in ((4,), (4, 1)):
        integers, inside = codes(values.reshape(shape), 3, "values")
        assert to_numpy(inside).tolist() == in_range
        assert to_numpy(integers)[in_range].tolist() == values[in_range].astype(int).tolist()


@pytest.mark.parametrize("shape", [(), (4, 3), (4, 1, 1)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"`values` must be of shape \(batch,\) or \(batch, 1\)"):
        codes(np.zeros(shape, int), 3, "values")


@pytest.mark.parametrize("num_domains", [3, 40], ids=["in_numpy", "in_keras"])
def test_columns_score_as_rows_do(num_domains):
    def scores(labels, domains, sample_weight):
        layer = TypicalityWeighting(num_domains, 2)
        layer.update_state(EMBEDDINGS, labels, domains, sample_weight)
        layer.finalize()
        return to_numpy(layer(EMBEDDINGS, labels, domains))

    for weight in (None, np.arange(6, dtype="float32")):
        as_rows = scores(LABELS, DOMAINS, weight)
        assert as_rows.shape == (6,)
        assert np.ptp(as_rows) > 0.1
        as_columns = scores(
            column(LABELS), column(DOMAINS), weight if weight is None else column(weight)
        )
        np.testing.assert_array_equal(as_columns, as_rows)


def test_columns_are_corrupted_and_weighted_as_rows_are():
    heads = [DomainCorruptionHead(3, seed=4) for _ in range(2)]
    for head in heads:
        head.build((None, 3))
    heads[1].set_weights(heads[0].get_weights())
    weight = np.arange(6, dtype="float32")
    losses = []
    for head, shape in zip(heads, [(6,), (6, 1)], strict=True):
        domains = DOMAINS.reshape(shape)
        z = head.corrupt(domains)
        assert to_numpy(z).shape == (6,)
        logits = head(EMBEDDINGS, domains)
        assert to_numpy(logits).shape == (6, 3)
        losses.append(
            to_numpy(head.loss(logits, to_numpy(z).reshape(shape), weight.reshape(shape)))
        )
    assert losses[0].shape == (6,)
    np.testing.assert_array_equal(losses[1], losses[0])


@pytest.mark.parametrize("num_domains", [3, 40], ids=["in_numpy", "in_keras"])
@pytest.mark.parametrize("name", ["embeddings", "labels", "domains"])
@pytest.mark.parametrize("change", ["one row", "another axis"])
def test_arrays_that_do_not_fit_together_are_refused(num_domains, name, change):
    layer = TypicalityWeighting(num_domains, 2)
    layer.adapt(EMBEDDINGS, LABELS, DOMAINS)
    arrays = {"embeddings": EMBEDDINGS, "labels": LABELS, "domains": DOMAINS}
    value = arrays[name]
    arrays[name] = value[:1] if change == "one row" else np.stack([value, value], axis=1)
    message = r"need a row a text. Received: \{" if change == "one row" else f"`{name}` must be of"
    for method in (layer, layer.update_state):
        with pytest.raises(ValueError, match=message):
            method(**arrays)


@pytest.mark.parametrize(
    ("labels", "wrong"), [([0, 1, 0.5, 1, 0, 1], "0.5"), ([0, 1, np.nan, 1, 0, 1], "nan")]
)
def test_adapt_names_what_is_no_label(labels, wrong):
    with pytest.raises(ValueError, match=rf"`labels` must be integers in \[0, 2\).*{wrong}"):
        TypicalityWeighting(3, 2).adapt(EMBEDDINGS, np.array(labels, "float32"), DOMAINS)
