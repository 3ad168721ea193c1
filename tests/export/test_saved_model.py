import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from easymft.errors import InputError
from easymft.export.saved_model import write_saved_model
from easymft.models import use_cpu_kernels
from easymft.models.answer_rules import AnswerRules
from easymft.models.familiarity import Familiarity, word_embeddings
from tests.export.conftest import DOMAINS, HOSTILE, LABELS, expected, make_model, make_preprocessor

TEXTS = ["good", "the CAFÉ is bad!", "", "good goods good goods good goods good", "cafe\u0301s"]


@pytest.fixture(scope="module")
def meta_learner(export_folder):
    return tf.saved_model.load(str(export_folder / "meta-learner" / "1"))


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory, models, preprocessor):
    folder = tmp_path_factory.mktemp("pair") / "model"
    write_saved_model(folder, models["books"], preprocessor, LABELS, pair=True)
    return tf.saved_model.load(str(folder))


@pytest.mark.long
def test_signatures(meta_learner):
    predict = meta_learner.signatures["serving_default"]
    text = tf.TensorSpec([None], tf.string, "text")
    assert predict.structured_input_signature == ((), {"text": text})
    shapes = {name: (s.shape.as_list(), s.dtype) for name, s in predict.structured_outputs.items()}
    assert shapes == {
        "label": ([None], tf.string),
        "score": ([None], tf.float32),
        "probabilities": ([None, 3], tf.float32),
        "abstain": ([None], tf.bool),
    }
    assert list(meta_learner.signatures) == ["serving_default", "embed", "classify"]


@pytest.mark.long
def test_answers_as_keras_does(meta_learner, models, preprocessor):
    answer = meta_learner.signatures["serving_default"](text=tf.constant(TEXTS))
    probabilities = expected(models["meta-learner"], preprocessor, TEXTS)
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_allclose(answer["score"], probabilities.max(1), atol=1e-5)
    names = [LABELS[code].encode() for code in probabilities.argmax(1)]
    assert answer["label"].numpy().tolist() == names
    # The accent and the case change nothing; the texts otherwise differ.
    assert len(np.unique(probabilities.round(4), axis=0)) == len(TEXTS)


@pytest.mark.long
def test_embeds_as_keras_does(meta_learner, models, preprocessor):
    answer = meta_learner.signatures["embed"](text=tf.constant(TEXTS))["embedding"]
    expected_embedding = models["meta-learner"].embed(preprocessor(x=TEXTS), training=False)
    np.testing.assert_allclose(answer, expected_embedding, atol=1e-5)


@pytest.mark.long
def test_holds_no_kernel_that_a_server_would_have_to_compile(tmp_path, preprocessor):
    model = make_model(0)
    use_cpu_kernels(model)
    write_saved_model(tmp_path / "model", model, preprocessor, LABELS)
    assert b"_XlaMustCompile" not in (tmp_path / "model" / "saved_model.pb").read_bytes()


@pytest.mark.long
def test_reads_text_pairs(pair_model, models, preprocessor):
    predict = pair_model.signatures["serving_default"]
    texts, pairs = ["good", "the bad cafe", ""], ["bad bad bad bad bad bad", "good", "the"]
    answer = predict(text=tf.constant(texts), text_pair=tf.constant(pairs))["probabilities"]
    probabilities = expected(models["books"], preprocessor, texts, pairs)
    np.testing.assert_allclose(answer, probabilities, atol=1e-5)
    turned = predict(text=tf.constant(pairs), text_pair=tf.constant(texts))["probabilities"]
    assert np.abs(turned - probabilities).max() > 1e-2


@pytest.mark.long
@pytest.mark.parametrize("pairs", [["good"], [], ["a", "b", "c"], [["a", "b"]]])
def test_pairs_of_another_length_are_refused(pair_model, pairs):
    predict = pair_model.signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"the same length|expected shape"):
        predict(text=tf.constant(["good", "bad"]), text_pair=tf.constant(pairs, tf.string))


@pytest.mark.long
@pytest.mark.parametrize("texts", ["good", [["good"]], [["good", "bad"]]])
def test_texts_of_another_rank_are_refused(meta_learner, texts):
    predict = meta_learner.signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
        predict(text=tf.constant(texts))
    with pytest.raises(tf.errors.InvalidArgumentError):
        meta_learner.signatures["classify"](inputs=tf.constant([[b"", b""]]))


def test_classify_takes_examples(export_folder, meta_learner):
    meta_graph = _meta_graph(export_folder / "meta-learner" / "1")
    signature = meta_graph.signature_def["classify"]
    assert signature.method_name == "tensorflow/serving/classify"
    assert list(signature.inputs) == ["inputs"]
    assert sorted(signature.outputs) == ["classes", "scores"]
    methods = {meta_graph.signature_def[name].method_name for name in ("serving_default", "embed")}
    assert methods == {"tensorflow/serving/predict"}

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"good"]))
    example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
    examples = tf.constant([example.SerializeToString(), tf.train.Example().SerializeToString()])
    answer = meta_learner.signatures["classify"](inputs=examples)
    assert answer["classes"].numpy().tolist() == [[name.encode() for name in LABELS]] * 2
    predict = meta_learner.signatures["serving_default"](text=tf.constant(["good", ""]))
    np.testing.assert_allclose(answer["scores"], predict["probabilities"], atol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 33])
def test_any_batch_size(meta_learner, size):
    answer = meta_learner.signatures["serving_default"](text=tf.fill([size], "good"))
    assert answer["probabilities"].shape == (size, 3)
    assert answer["label"].shape == answer["score"].shape == (size,)


def test_hostile_texts_get_answers_and_disturb_no_other(meta_learner):
    predict = meta_learner.signatures["serving_default"]
    together = predict(text=tf.constant([*HOSTILE, b"the good cafe"]))["probabilities"].numpy()
    np.testing.assert_allclose(together.sum(1), 1.0, atol=1e-5)
    alone = [predict(text=tf.constant([t]))["probabilities"][0] for t in HOSTILE]
    np.testing.assert_allclose(together[:-1], alone, atol=1e-5)
    good = predict(text=tf.constant(["the good cafe"]))["probabilities"][0]
    np.testing.assert_allclose(together[-1], good, atol=1e-5)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_bytes_get_answers(meta_learner, count):
    random = np.random.default_rng(1)
    texts = [random.bytes(random.integers(0, 200)) for _ in range(count)]
    for start in range(0, count, 500):
        batch = tf.constant(texts[start : start + 500])
        probabilities = meta_learner.signatures["serving_default"](text=batch)["probabilities"]
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(tf.reduce_sum(probabilities, 1), 1.0, atol=1e-5)


def test_holds_only_the_weights_it_uses(export_folder):
    checkpoint = tf.train.load_checkpoint(str(export_folder / "meta-learner/1/variables/variables"))
    sizes = [np.prod(shape) for shape in checkpoint.get_variable_to_shape_map().values()]
    model = make_model(0)
    weights = model.backbone.weights + model.class_head.weights
    # Besides them the graph of objects: no metrics, no states of dropout.
    assert sum(sizes) == sum(np.prod(weight.shape) for weight in weights) + 1


def test_labels_must_fit_the_model(tmp_path, models, preprocessor):
    with pytest.raises(ValueError, match="`labels` must name the 3 classes"):
        write_saved_model(tmp_path / "m", models["books"], preprocessor, LABELS[:2])


def test_models_must_be_named_after_domains(tmp_path, models, preprocessor):
    with pytest.raises(ValueError, match="`models` must be named after `domains`"):
        write_saved_model(tmp_path / "m", models, preprocessor, LABELS, DOMAINS[:1])


def test_needs_the_tensorflow_backend(tmp_path, models, preprocessor, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(InputError, match=r"TensorFlow backend.*Received: jax"):
        write_saved_model(tmp_path / "m", models["books"], preprocessor, LABELS)


def _meta_graph(folder):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return model.meta_graphs[0]


@pytest.mark.long
def test_rules_calibrate_and_abstain_by_the_texts_domain(tmp_path, models, preprocessor):
    # A temperature and a threshold for each domain, and for texts of no known one.
    rules = AnswerRules(
        DOMAINS, np.array([4, 1, 0.5, 2], "float32"), np.array([0, 1, np.inf, 0.6], "float32")
    )
    write_saved_model(tmp_path / "model", models, preprocessor, LABELS, DOMAINS, rules=rules)
    served = tf.saved_model.load(str(tmp_path / "model"))
    text, routes = "the bad cafe", [*DOMAINS, "", "garden"]
    answer = served.signatures["serving_default"](
        text=tf.constant([text] * 5), domain=tf.constant(routes)
    )
    names = [name if name in models else "meta-learner" for name in routes]
    raw = np.concatenate([expected(models[name], preprocessor, [text]) for name in names])
    powers = raw ** (1 / np.array([4, 1, 0.5, 2, 2]))[:, None]
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_allclose(answer["score"], probabilities.max(axis=1), atol=1e-5)
    stranger = probabilities[3].max() < 0.6
    assert answer["abstain"].numpy().tolist() == [False, True, True, stranger, stranger]
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                    for name, value in (("text", text), ("domain", route))
                }
            )
        ).SerializeToString()
        for route in routes
    ]
    scores = served.signatures["classify"](inputs=tf.constant(examples))["scores"]
    np.testing.assert_allclose(scores, probabilities, atol=1e-5)


@pytest.mark.long
def test_a_stranger_is_told_from_what_is_familiar(tmp_path, models, preprocessor):
    texts, labels = ["good cafe", "the good", "bad bad !", "bad !"], np.array([0, 0, 1, 1])
    table = word_embeddings(models["meta-learner"].backbone).embeddings
    codes = np.array([0, 0, 2, 2])
    ids, mask = (preprocessor(x=texts)[name].numpy() for name in ("token_ids", "padding_mask"))
    known = Familiarity.fit(
        *([own[kept > 0] for own, kept in zip(ids, mask, strict=True)], labels, codes, DOMAINS, 3),
        ops.convert_to_numpy(table),
        ignored=[2, 3],  # [CLS] and [SEP]
    )
    folder = tmp_path / "model"
    write_saved_model(folder, models, preprocessor, LABELS, DOMAINS, familiarity=known)
    asked = ["good cafe", "bad bad", "the cafes", ""]
    routes, places = ["", "music", "books", "dvd & co"], np.array([3, 2, 0, 1])
    answer = tf.saved_model.load(str(folder)).signatures["serving_default"](
        text=tf.constant(asked), domain=tf.constant(routes)
    )
    tokens = preprocessor(x=asked)
    found, nearest = known(ops.take(table, tokens["token_ids"], axis=0), tokens, places)
    np.testing.assert_allclose(answer["familiarity"], found, atol=1e-6)
    assert answer["familiarity"].numpy()[3] == 0  # of a domain without texts
    names = [name.decode() for name in answer["nearest_domain"].numpy()]
    assert names == [DOMAINS[code] for code in ops.convert_to_numpy(nearest)]
    assert names[:2] == ["books", "music"]


@pytest.mark.long
def test_a_text_is_answered_alike_however_much_it_is_padded(tmp_path):
    preprocessor, models = make_preprocessor(24), {}
    for seed, name in enumerate(("meta-learner", *DOMAINS[:2])):
        models[name] = make_model(seed, max_length=24)
    write_saved_model(tmp_path / "model", models, preprocessor, LABELS, DOMAINS)
    predict = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    texts, domains = ["good", "bad " * 9, "the cafe " * 50], ["books", "dvd & co", "garden"]
    together = predict(text=tf.constant(texts), domain=tf.constant(domains))["probabilities"]
    for row, (text, domain) in enumerate(zip(texts, domains, strict=True)):
        alone = predict(text=tf.constant([text]), domain=tf.constant([domain]))["probabilities"]
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)
        # Keras' preprocessor pads everything to 24 tokens.
        model = models.get(domain, models["meta-learner"])
        np.testing.assert_allclose(alone, expected(model, preprocessor, [text]), atol=1e-6)
