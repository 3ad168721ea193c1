import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from easymft.in_memory import shared_model
from easymft.in_memory.shared_model import SharedModel
from tests.models.tiny import tokenized

TOKENS = tokenized(1)  # which nobody looks at
WEIGHTS = {None: [np.array(0.0)], "a": [np.array(1.0)], "b": [np.array(2.0)]}


class Stub:
    """Stands for a Keras model whose answer to every text is its one weight."""

    def __init__(self, name="stub"):
        self.name, self.weights = name, None

    def set_weights(self, weights):
        self.weights = weights

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@pytest.fixture
def answers(monkeypatch):
    """What is asked of the model's own prediction; tests may put something before the answer."""
    before = []

    def answer(model, name, tokens, rows):
        for call in before:
            call()
        return np.stack([np.full(len(rows), model.weights[0]), rows], axis=1).astype(np.float32)

    monkeypatch.setattr(shared_model, "class_probabilities", answer)
    return before


def test_each_text_is_answered_by_its_domain_in_its_place(answers):
    found = SharedModel(Stub(), WEIGHTS).probabilities(TOKENS, ["b", None, "a", "new", "b"])
    assert found.tolist() == [[2, 0], [0, 1], [1, 2], [0, 3], [2, 4]]


@pytest.mark.long
def test_threads_that_ask_for_two_domains_do_not_meet(answers):
    # Where both may hold the model at a time they meet here, and the first has lost its weights.
    barrier = threading.Barrier(2)

    def meet():
        try:
            barrier.wait(0.3)
        except threading.BrokenBarrierError:
            barrier.reset()

    answers.append(meet)
    model = SharedModel(Stub(), WEIGHTS)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda domain: model.probabilities(TOKENS, [domain])[0, 0], "ab"))
    assert found == [1, 2]


def test_saving_waits_for_other_threads_too(answers):
    model = SharedModel(Stub(), WEIGHTS)
    with ThreadPoolExecutor(1) as pool:
        with model.holding("a") as held:
            other = pool.submit(model.probabilities, TOKENS, ["b"])
            with pytest.raises(TimeoutError):
                other.result(0.1)
            assert held.weights[0] == 1
        assert other.result(10).tolist() == [[2, 0]]


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])  # noqa: S301
def test_a_copy_has_a_model_and_a_lock_of_its_own(answers, way):
    model = SharedModel(Stub("mine"), WEIGHTS)
    with model.holding("a") as held:  # also while another thread has the lock
        twin = way(model)
        assert twin.probabilities(TOKENS, ["b"])[0, 0] == 2
        assert held.weights[0] == 1
    assert twin.domains == ["a", "b"]
    with twin.holding(None) as own:
        assert (own.name, own is held) == ("mine", False)


def test_a_fault_while_it_is_held_frees_it(answers):
    model = SharedModel(Stub(), WEIGHTS)
    answers.append(lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.probabilities(TOKENS, ["a"])
    answers.clear()
    assert model.probabilities(TOKENS, ["b"])[0, 0] == 2
