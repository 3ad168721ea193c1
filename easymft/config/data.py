"""The sections about data."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from easymft.config.section import Count, Section, Share


class Columns(Section):
    """Which column (or key) of the user's file holds what. `null`: there is none."""

    text: str = "text"
    """The text to classify, or the first of a pair."""
    text_pair: str | None = None
    """The second text of a pair."""
    label: str = "label"
    """The class."""
    domain: str = "domain"
    """The domain (product line, genre, platform, tenant)."""
    id: str | None = None
    """A stable name of the text; the row number when absent."""
    split: str | None = None
    """train, dev or test; see `data.split`."""
    weight: str | None = None
    """A typicality of the user's own, taken instead of the computed one."""

    def by_role(self, split: str | None = None) -> dict[str, str]:
        """Return the column of every role that has one; a dev or test text needs no weight."""
        columns = {role: name for role, name in self if name is not None}
        if split == "unlabeled":
            kept = ("text", "text_pair", "domain", "id")
            return {role: name for role, name in columns.items() if role in kept}
        if split in ("dev", "test"):
            columns.pop("weight", None)
        return columns


class FewShot(Section):
    """Thin the training texts; smaller settings lie inside larger ones for one seed."""

    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the training texts kept, per domain and class."""
    per_class: Count | None = None
    """Number of training texts kept, per domain and class."""
    rest: Literal["unused", "unlabeled"] = "unused"
    """unlabeled: the others stay as texts whose labels no method sees, to try self-training."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "FewShot":
        if (self.fraction is None) == (self.per_class is None):
            raise ValueError("give either `fraction` or `per_class`")
        return self


class Split(Section):
    """How the corpus is cut into train, dev and test."""

    kind: Literal["auto", "paper", "seeded", "folds", "given", "saved"] = "auto"
    """auto: the corpus's own split if it has one, the paper's sizes if they fit, else seeded.
    folds: cross-validation, where the run's seed picks the fold that is the test."""
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    """Number of folds, for kind `folds`: seeds 1 to `folds` test every text once."""
    dev: Share = 0.1
    """Share of the texts for development (or a number of texts per domain)."""
    test: Share = 0.1
    """Share of the texts for the test (or a number of texts per domain); not for kind `folds`."""
    seed: int | None = None
    """Seed of the cut; the run's seed when null (0 for kind `folds`, whose cut all seeds share).
    Fix it to test all seeds on the same texts; `few_shot` goes by the run's seed in any case."""
    few_shot: FewShot | None = None
    """Keep only a part of the training texts."""
    leave_out: str | None = None
    """A domain the meta-learner never sees (leave-one-domain-out)."""
    left_out: Literal["labeled", "unlabeled"] = "labeled"
    """What the training texts of `leave_out` are. labeled: for its own fine-tuning, thinned by
    `few_shot`. unlabeled: without labels, for methods that learn from such texts; the labels of
    its dev and test texts score it only, and `few_shot` thins the other domains."""
    ids: str | None = None
    """A `splits.json` of an earlier run, for kind `saved`."""

    @model_validator(mode="after")
    def _saved_needs_ids(self) -> "Split":
        if (self.kind == "saved") != (self.ids is not None):
            raise ValueError("`ids` names the file of kind `saved`, and only of that kind")
        return self

    @model_validator(mode="after")
    def _left_out_needs_a_domain(self) -> "Split":
        if self.left_out != "labeled" and self.leave_out is None:
            raise ValueError("`left_out` is about the domain that `leave_out` names; name one")
        return self


class DataConfig(Section):
    """Where the texts come from."""

    source: str = "sample"
    """amazon_reviews, multi_nli_genre, snippets, sample (bundled), files, packed, tfds:NAME, or
    hf:NAME (Hugging Face: OWNER/NAME, OWNER/NAME:CONFIG, or a folder made by `save_to_disk`)."""
    dir: str | None = None
    """Folder of the corpus; looked at before $EASYMFT_DATA_DIR and the TFDS cache."""
    fallback: Literal["sample", "none"] = "none"
    """What to do where the corpus cannot be had: the bundled sample, or an error."""
    files: dict[Literal["train", "dev", "test", "all", "unlabeled"], str] | None = None
    """For source `files`: a path or glob per split, or `all` for one that is cut here; beside them
    `unlabeled`, of texts and domains without labels, for methods that learn from these too."""
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "folder", "easytransfer"] = "auto"
    """Format of `files`; auto goes by the file's name."""
    columns: Columns = Columns()
    """Names of the columns in `files`."""
    encoding: str = "auto"
    """Encoding of `files`; auto detects and reports it."""
    delimiter: str = "auto"
    """Delimiter of `files`; auto detects and reports it."""
    on_bad_row: Literal["error", "skip"] = "error"
    """Stop at a row that cannot be used, or skip and count it."""
    corrections: str | None = None
    """An audit.csv with decisions, or a glob of several: labels are replaced and texts left out as
    it says, and the data stay as they are. See `--mode audit`."""
    limit_per_domain: Count | None = None
    """Use at most this many texts of each domain: a quick look."""
    label_sets: dict[str, Annotated[list[str], Field(min_length=1)]] | Literal["found"] | None = (
        None
    )
    """Where not every domain has all classes: names of the classes of such domains, {"books":
    ["good", "bad"]}, or found, those of each domain's training texts. A domain is never answered
    with a class that it does not have, nor does its loss know of others. null: all have all."""
    label_noise: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training texts that are given a wrong label, to see how a method bears it."""
    split: Split = Split()
    """How the corpus is cut."""
