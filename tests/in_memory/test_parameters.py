import numpy as np
import pytest

from easymft import MFTClassifier
from easymft.errors import InputError
from easymft.in_memory.parameters import config_of


def of(**parameters):
    return config_of({**MFTClassifier().get_params(), **parameters})


def test_parameters_stand_where_a_recipe_has_them():
    config = of(epochs=7, fine_tune_epochs=2, batch_size=3, learning_rate=0.5, alpha=0.25)
    assert (config.meta_fine_tune.epochs, config.fine_tune.epochs) == (7, 2)
    assert config.meta_fine_tune.batch_size == config.fine_tune.batch_size == 3
    assert config.meta_fine_tune.learning_rate == config.fine_tune.learning_rate == 0.5
    assert config.mft.alpha == 0.25


def test_settings_are_laid_over_parameters_and_leave_the_others():
    for settings in ({"mft.alpha": 0.5, "mft.clip": 0.1}, {"mft": {"alpha": 0.5, "clip": 0.1}}):
        mft = of(alpha=0.25, corruption_weight=0.75, settings=settings).mft
        assert (mft.alpha, mft.clip, mft.corruption_weight) == (0.5, 0.1, 0.75)
    mixed = of(settings={"mft": {"clip": 0.1}, "mft.normalize": True}).mft
    assert (mixed.clip, mixed.normalize) == (0.1, True)


def test_numbers_of_a_parameter_search_count_as_python_s():
    config = of(alpha=np.float64(0.25), epochs=np.int64(7), settings={"mft.clip": np.float64(0.5)})
    assert (config.mft.alpha, config.meta_fine_tune.epochs, config.mft.clip) == (0.25, 7, 0.5)


def test_a_generator_gives_another_seed_each_time():
    state = np.random.RandomState(0)
    assert of(random_state=state).seed != of(random_state=state).seed
    assert of(random_state=5).seed == of(random_state=5).seed != of(random_state=6).seed


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "mtl"}, "`method`: must be one of mix, .* Received: 'mtl'"),
        ({"method": ["mft"]}, "`method`: must be one of mix, "),
        ({"settings": {"data.source": "files"}}, "`settings`: must begin with one of backbone,"),
        ({"settings": {5: 1}}, "`settings`: must begin with one of .* Received: 5"),
        ({"settings": ["mft.clip"]}, "`settings`: must be a dict"),
        ({"settings": {"mft": 5}}, "`mft`: must be an object"),
        ({"settings": {"fine_tune.select_best_on_dev": True}}, "`settings`: .*dev texts"),
        ({"method": "mix_self", "settings": {"self_train.gate": "dev"}}, "`settings`: .*dev texts"),
        ({"settings": {"mft.alhpa": 1}}, "`mft.alhpa`: unknown key; did you mean `alpha`"),
        ({"alpha": 2}, "`mft.alpha`"),
        ({"alpha": "much"}, "`mft.alpha`"),
        ({"epochs": -1}, "`meta_fine_tune.epochs`"),
        ({"epochs": 1.5}, "`meta_fine_tune.epochs`"),
        ({"max_length": None}, "`backbone.max_length`"),
    ],
)
def test_what_breaks_a_rule_is_named(parameters, message):
    with pytest.raises(InputError, match=message):
        of(**parameters)
