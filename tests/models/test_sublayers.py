import keras
import pytest

from easymft.models import MFTTextClassifier, TextClassifier
from easymft.models.sublayers import all_layers, random_states
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, tiny_backbone


@pytest.mark.parametrize(
    "architecture", ["Bert", "Roberta", "XLMRoberta", "DistilBert", "DebertaV3", "Albert"]
)
def test_every_dropouts_generator_is_found(architecture):
    sizes = {"num_groups": 1, "embedding_dim": 4} if architecture == "Albert" else {}
    backbone = tiny_backbone(architecture, dropout=0.1, **sizes)
    model = TextClassifier(backbone, NUM_CLASSES, dropout=0.1)
    states = random_states(model)
    if architecture in ("Bert", "Roberta", "DistilBert"):
        # Before the class head, after the embeddings, and in each of two layers on attention,
        # on its output and on that of the feed-forward part.
        assert len(states) == 1 + 1 + 2 * 3
    # As the tested releases of Keras call them.
    named = [v for v in model.variables if v.name == "seed_generator_state"]
    assert [id(v) for v in states] == [id(v) for v in named]
    assert random_states(TextClassifier(tiny_backbone(), NUM_CLASSES, dropout=0.0)) == []


@pytest.mark.long
def test_heads_draw_by_generators_of_their_own():
    layers = {"corruption_layers": (0, 1), "dropout": 0.0}
    model = MFTTextClassifier(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS, **layers)
    states = random_states(model)
    heads = [head.seed_generator.state for head in model.corruption_heads]
    assert [id(state) for state in states] == [id(state) for state in heads]


def test_a_generator_that_keras_keeps_elsewhere_is_an_error():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.1)])
    assert len(random_states(model)) == 1
    dropout = model.layers[0]
    assert dropout in all_layers(model)
    generators = [dropout.seed_generator]
    dropout.seed_generator = None
    dropout.generators = tuple(generators)
    with pytest.raises(RuntimeError, match=rf"Keras {keras.__version__} does not keep random"):
        random_states(model)
