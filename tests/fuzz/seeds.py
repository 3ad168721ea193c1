"""What fuzzing starts from, by target: good inputs, and inputs that once were mishandled."""

import json

from tests.data.reading import REVIEW

_CSV = b'text,label,domain\nfirst,pos,books\n"a ""quoted"", one",neg,dvd\n'
_ALL = b"text,pair,label,domain,id,split,weight\na,b,1,d,i1,train,0.5\nc,d,2,e,i2,test,1\n"
_ROW = b'{"text": "a", "label": "b", "domain": "d"}\n'
_ALL_ROW = (
    b'{"text": "a", "pair": "b", "label": 1, "domain": 2.0, "id": 3, "split": "dev", "weight": 1}\n'
)
_REVIEW = REVIEW.format(number=0, rating=4.0, text="Caf&eacute; &amp; &#39;R&B&#x27;")
_RECIPE = {
    "seed": 1,
    "method": "mft",
    "data": {
        "source": "files",
        "files": {"train": "a.csv", "test": "b.csv"},
        "columns": {"text": "t", "id": "i"},
        "split": {"kind": "seeded", "dev": 0.1, "test": 100, "few_shot": {"per_class": 5}},
    },
    "mft": {"alpha": 0.5, "clip": None, "class_weights": [1, 2.5], "corruption_layers": [2, 5]},
    "fine_tune": {"epochs": 1, "learning_rate": 1e-5, "batch_size": 8},
}

GOOD: dict[str, list[bytes]] = {
    "reviews": [
        b"",
        _REVIEW.encode("latin-1"),
        f"<data>\r\n{_REVIEW}{_REVIEW}</data>\n".encode("latin-1"),
    ],
    "tables": [
        b"\x00" + _CSV,
        b"\x04" + _CSV.replace(b"\n", b"\r\n"),
        b"\x01" + _CSV.replace(b",", b"\t"),
        b"\x40" + _CSV.replace(b",", b";"),
        b"\x08" + _ALL,
        b"\x02" + _ROW * 2,
        b"\x0a" + _ALL_ROW,
        b"\x03a\t0\tpos\t0.5\nb\t1\tneg\t1\n",
        b"\x20" + _CSV.decode().encode("utf-16"),
    ],
    "recipes": [
        b"{}",
        json.dumps(_RECIPE).encode(),
        json.dumps(_RECIPE, indent=1).encode(),
        b'{"include": ["recipe.json"], "mft": {"variant": "easytransfer"}}',
    ],
}

# Each raised something else than `InputError` before it was mended.
FOUND: dict[str, list[bytes]] = {
    "reviews": [
        # A number that Python refuses to read.
        REVIEW.format(number=0, rating=4.0, text=f"&#{'9' * 5000};").encode(),
    ],
    "tables": [
        # A weight beyond every float.
        b"\x0a" + _ALL_ROW.replace(b'"weight": 1', b'"weight": ' + b"9" * 400),
        # A number that Python refuses to read, said to be nested too deeply.
        b"\x02" + _ROW.replace(b'"b"', b"9" * 5000),
    ],
    "recipes": [],
}

# Words that mutation alone would take long to find.
WORDS: dict[str, list[str]] = {
    "reviews": [
        *("<review>\n", "</review>", "<data>", "</data>", "\n<rating>\n", "\n</rating>\n"),
        *("\n<review_text>\n", "\n</review_text>\n", "\n<title>\n", "\n</title>\n", "&#", "&amp;"),
        *("\n<unique_id>\n", "\n</unique_id>\n", "\r\n"),
    ],
    "tables": [
        *("text", "label", "domain", "pair", "id", "split", "weight", "train", "validation"),
        *('"', '""', ",", ";", "\t", "\r\n", "\0", "\ufeff", "\\ud800", "NaN", "1e999", "null"),
    ],
    "recipes": [
        *('"data"', '"mft"', '"seed"', '"include"', '"split"', '"columns"', '"class_weights"'),
        *("null", "true", "NaN", "1e999", "-1", "{}", "[]", '"saved"', '"ids"', "\\u0000"),
    ],
}
