import keras
import keras_hub
import numpy as np
import pytest

from easymft.export import export_run
from easymft.models import MultiTaskTextClassifier, TextClassifier
from easymft.models.hugging_face_bert_tokenizer import HuggingFaceBertTokenizer

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "cafe",
    "good",
    "bad",
    "the",
    "##s",
    "!",
]
MAX_LENGTH = 8
LABELS = ("negative", "positive", "größer")
DOMAINS = ("books", "dvd & co", "music")

HOSTILE = [
    b"",
    b" \t\n",
    b"good \xff\xfe bad",
    b"\xc3",
    b"\xed\xa0\x80 half a surrogate pair",
    b"good " * 200_000,
    b"x" * 1_000_000,
    "😀 the 👩‍👩‍👧".encode(),
    b"a\x00b good",
    "\ufeffgood\u202e".encode(),
    b"e" + "\u0301".encode() * 500,
    "漢字".encode() * 50,
    b"[CLS] [SEP] [PAD] [MASK]",
]


def make_preprocessor(max_length=MAX_LENGTH):
    return keras_hub.models.BertTextClassifierPreprocessor(
        HuggingFaceBertTokenizer(VOCABULARY), sequence_length=max_length, truncate="waterfall"
    )


def make_model(seed, kind=TextClassifier, max_length=MAX_LENGTH, dtype="float32"):
    """A classifier whose weights are large enough that every word changes the answer."""
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(VOCABULARY),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=8,
        max_sequence_length=max_length,
        dtype=dtype,
    )
    model = kind(backbone, len(LABELS), len(DOMAINS))
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        if weight.name in ("kernel", "embeddings", "position_embeddings"):
            weight.assign(random.normal(size=weight.shape))
    return model


def expected(model, preprocessor, texts, pairs=None, domain=0):
    """Probabilities by way of Keras alone: preprocessor on Python strings, model, softmax."""
    inputs = preprocessor(x=texts if pairs is None else (texts, pairs))
    domains = np.full(len(texts), domain, "int32")
    logits = model({**inputs, "domain": domains}, training=False)["logits"]
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


@pytest.fixture(scope="session")
def preprocessor():
    return make_preprocessor()


@pytest.fixture(scope="session")
def models():
    """The third domain has no model of its own."""
    names = ("meta-learner", *DOMAINS[:2])
    return {name: make_model(seed) for seed, name in enumerate(names)}


@pytest.fixture(scope="session")
def multi_task_model():
    return make_model(7, MultiTaskTextClassifier)


@pytest.fixture(scope="session")
def export_folder(tmp_path_factory, models, preprocessor):
    folder = tmp_path_factory.mktemp("run") / "export"
    export_run(models, preprocessor, LABELS, DOMAINS, folder)
    return folder
