"""TFDS builders of the paper's two corpora; `import easymft.data` makes them known to TFDS.

Both take the official archive from the web, or from TFDS's `manual_dir`, packed or unpacked.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from easymft.data.sources import amazon_reviews, multi_nli_genre
from easymft.errors import Problems


class AmazonReviews(tfds.core.GeneratorBasedBuilder):
    """Multi-Domain Sentiment Dataset 2.0: 8,000 labelled reviews of four product domains."""

    VERSION = tfds.core.Version("2.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Only where the download is not possible: put {amazon_reviews.ARCHIVE}, or the folder"
        " sorted_data_acl unpacked from it, here."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Product reviews of books, DVDs, electronics and kitchen appliances, 1,000"
                " positive and 1,000 negative of each."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "text": tfds.features.Text(),
                    "title": tfds.features.Text(),
                    "rating": tfds.features.Scalar(np.float32),
                    "label": tfds.features.ClassLabel(names=amazon_reviews.LABELS),
                    "domain": tfds.features.ClassLabel(names=list(amazon_reviews.DOMAINS)),
                }
            ),
            supervised_keys=("text", "label"),
            homepage="https://www.cs.jhu.edu/~mdredze/datasets/sentiment/",
            citation="""@inproceedings{blitzer2007biographies,
  title={Biographies, {Bollywood}, Boom-boxes and Blenders: Domain Adaptation for Sentiment
         Classification},
  author={Blitzer, John and Dredze, Mark and Pereira, Fernando},
  booktitle={Proceedings of ACL},
  year={2007}
}""",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        folder = _find(
            dl_manager, amazon_reviews.URL, amazon_reviews.ARCHIVE, amazon_reviews.find_folder
        )
        return {"train": self._generate_examples(folder)}

    def _generate_examples(self, folder: os.PathLike) -> Iterator[tuple[str, dict[str, Any]]]:
        for (domain, label), path in amazon_reviews.files(folder).items():
            for review in amazon_reviews.read_reviews(path):
                identifier = f"{domain}/{label}/{review['number']}"
                yield (
                    identifier,
                    {
                        "id": identifier,
                        "text": review["text"],
                        "title": review["title"],
                        "rating": review["rating"],
                        "label": label,
                        "domain": domain,
                    },
                )


class MultiNliGenre(tfds.core.GeneratorBasedBuilder):
    """MultiNLI 1.0 with the genre of each pair; pairs without a gold label are left out."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Only where the download is not possible: put {multi_nli_genre.ARCHIVE}, or the folder"
        " multinli_1.0 unpacked from it, here."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        genres = [*multi_nli_genre.TRAINING_GENRES, *multi_nli_genre.OTHER_GENRES]
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Sentence pairs of ten genres labelled entailment, neutral or contradiction;"
                " training pairs come from five of the genres."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "text": tfds.features.Text(),
                    "text_pair": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=multi_nli_genre.LABELS),
                    "domain": tfds.features.ClassLabel(names=genres),
                }
            ),
            homepage="https://cims.nyu.edu/~sbowman/multinli/",
            citation="""@inproceedings{williams2018broad,
  title={A Broad-Coverage Challenge Corpus for Sentence Understanding through Inference},
  author={Williams, Adina and Nangia, Nikita and Bowman, Samuel},
  booktitle={Proceedings of NAACL-HLT},
  year={2018}
}""",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        folder = _find(
            dl_manager, multi_nli_genre.URL, multi_nli_genre.ARCHIVE, multi_nli_genre.find_folder
        )
        paths = {split: folder / name for split, name in multi_nli_genre.FILES.items()}
        return {
            split: self._generate_examples(split, path)
            for split, path in paths.items()
            if path.exists()
        }

    def _generate_examples(self, split, path) -> Iterator[tuple[int, dict[str, str]]]:
        problems = Problems()
        for pair in multi_nli_genre.parse_pairs(path, problems.add):
            if pair["label"] != multi_nli_genre.NO_GOLD_LABEL:
                line = pair.pop("line")
                yield line, {**pair, "id": f"{split}/{pair['id']}"}
        problems.raise_if_any()


def _find(dl_manager, url: str, archive: str, find_folder: Callable) -> Any:
    """Find the corpus's folder: unpacked in `manual_dir`, packed there, or downloaded."""
    try:
        manual_dir = dl_manager.manual_dir
    except AssertionError:  # TFDS's way to say that there is none, or that it is empty
        roots = []
    else:
        roots = [manual_dir]
        if (manual_dir / archive).exists():
            roots.append(dl_manager.extract(manual_dir / archive))
    for root in roots:
        if folder := find_folder(root):
            return folder
    folder = find_folder(dl_manager.download_and_extract(url))
    if folder is None:
        raise FileNotFoundError(f"the archive of {url} does not hold the expected files")
    return folder
