import numpy as np

from easymft.methods.best_weights import BestParts


class Model:
    """Three domains' parts, each the step number times its own."""

    num_domains = 3

    def __init__(self, step):
        self.set_tables({"a/factor": np.full((3, 2), step), "b/shifts": np.arange(3.0) * step})

    def tables(self):
        return dict(self._tables)

    def set_tables(self, tables):
        self._tables = tables


def figures(*accuracies):
    return {f"dev_accuracy_domain_{k}": accuracy for k, accuracy in enumerate(accuracies)}


def test_each_domain_keeps_the_parts_of_its_own_best_step(tmp_path):
    best = BestParts(tmp_path / "best")
    assert best.give_to(Model(0)) == []
    best.offer(Model(10), figures(0.9, 0.1, 0.5), step=10)
    best.offer(Model(20), figures(0.8, 0.2, 0.5), step=20)
    # Another process goes on.
    BestParts(tmp_path / "best").offer(Model(30), figures(0.9, 0.3, 0.4), step=30)
    model = Model(0)
    assert best.give_to(model) == [10, 30]
    assert model.tables()["a/factor"].tolist() == [[10, 10], [30, 30], [10, 10]]
    assert model.tables()["b/shifts"].tolist() == [0, 30, 20]
