"""Bad rows, labels and domains."""

from pathlib import Path

from tests.hostile.base import GOOD, GOOD_ROWS, HEADER, base, file, many, texts
from tests.hostile.case import Case

ROW = '{"text": "the", "label": "good", "domain": "books"}\n'


def _rows(*lines: str) -> str:
    """The good file with more lines, the first of which is line 62."""
    return GOOD + "".join(f"{line}\n" for line in lines)


def _test_only(folder: Path) -> None:
    base(folder, {"files": {"train": "texts.csv", "test": "test.csv"}, "split": {}})
    rows = "".join(f"cafe good {n},bad,toys\n" for n in range(5))
    (folder / "test.csv").write_text(HEADER + "the,good,books\n" + rows)


_REFUSED = [
    (
        "a ragged row",
        texts(_rows("a,b")),
        ("texts.csv:62: 2 cells where the header has 3; is a",),
    ),
    (
        "a quote never closed",
        texts(_rows('"the cafe,good,books', "the,good,books")),
        ('texts.csv:62: a quote (") is opened in this row and never closed',),
    ),
    (
        "a quote never closed in the header",
        texts('text,label,"domain\n' + GOOD_ROWS),
        ("texts.csv:1: the header cannot be read: a quote",),
    ),
    (
        "text after a closing quote",
        texts(_rows('"the" cafe,good,books')),
        ('texts.csv:62: text after a closing quote ("); write a quote inside a quoted cell',),
    ),
    (
        "NUL in a text",
        texts(_rows("the \0 cafe,good,books")),
        ("texts.csv:62: `text`: holds a NUL character: a damaged file, or no text at all",),
    ),
    (
        "a cell of 10 MB",
        texts(lambda: _rows('"' + "the cafe\n" * 1_111_111 + '",good,books')),
        ("texts.csv:62: a cell of more than 1,000,000 characters; is a quote",),
    ),
    (
        "a line of 10 MB",
        texts(lambda: _rows("the " * 2_500_000 + ",good,books")),
        ("texts.csv:62: a line of 8,000,000 characters or more; is this a text file?",),
    ),
    (
        "a row made to be read again from every line",
        texts(lambda: HEADER + '",a","x\n' * 2_000_000),
        ('quotes (") are opened and never closed in so many rows that this cannot be read; write',),
    ),
    ("no text", texts(_rows(",good,books")), ("texts.csv:62: `text`: is empty",)),
    ("no label", texts(_rows("the, ,books")), ("texts.csv:62: `label`: is empty; every text",)),
    (
        "a review as label",
        texts(_rows(f"the,{'the cafe ' * 600},books")),
        ("texts.csv:62: `label`: has 5,399 characters, at most 500 make a name; is this the",),
    ),
    (
        "a line end in a label",
        texts(_rows('the,"go\nod",books')),
        ("texts.csv:62: `label`: holds a line end or another control character. Received: 'go",),
    ),
    (
        "a terminal's commands as domain",
        texts(_rows("the,good,\x1b[2J")),
        ("texts.csv:62: `domain`: holds a line end or another control character",),
    ),
    (
        "every row bad, and skipped",
        texts(HEADER + ",good,books\n" * 3, on_bad_row="skip"),
        ("texts.csv: `data.files`: no usable row; first fault: texts.csv:2: `text`: is empty",),
    ),
    (
        "a bad row among 100,000",
        texts(lambda: many('"the cafe,good,b')),
        ('texts.csv:50002: a cell of more than 1,000,000 characters; is a quote (") opened in',),
    ),
    (
        "ids twice",
        texts("id,text,label,domain\n1,the,good,b\n1,cafe,bad,b\n", columns={"id": "id"}),
        ("texts.csv:3: `id`: id '1' stands already at texts.csv:2",),
    ),
    (
        "an unknown split",
        texts("text,label,domain,part\nthe,good,b,holdout\n", columns={"split": "part"}),
        ("texts.csv:2: `part`: must be train, dev or test. Received: 'holdout'",),
    ),
    (
        "a weight that is none",
        texts("text,label,domain,w\nthe,good,b,much\n", columns={"weight": "w"}),
        ("texts.csv:2: `w`: must be a finite number. Received: 'much'",),
    ),
    (
        "a weight of 400 digits",
        file("t.jsonl", ROW[:-2] + f', "w": {"9" * 400}}}\n', columns={"weight": "w"}),
        ("t.jsonl:1: `w`: must be a finite number. Received: 999",),
    ),
    (
        "JSONL cut short",
        file("t.jsonl", ROW + ROW[:20]),
        ("t.jsonl:2: not valid JSON", "each line"),
    ),
    ("JSONL of lists", file("t.jsonl", ROW + "[1]\n"), ("t.jsonl:2: must be a JSON object. Rec",)),
    (
        "JSONL of 100,000 brackets",
        file("t.jsonl", ROW + "[" * 100_000),
        ("t.jsonl:2: not valid JSON (nested too deeply)",),
    ),
    (
        "JSONL with half a surrogate pair",
        file("t.jsonl", ROW + ROW.replace("the", "\\ud800")),
        ("t.jsonl:2: `text`: holds half a surrogate pair, which is no Unicode text",),
    ),
    (
        "a list as label",
        file("t.jsonl", ROW.replace('"good"', '["good"]')),
        ("t.jsonl:1: `label`: must be text or a finite number. Received: a list",),
    ),
    (
        "the same few texts again and again",
        texts(HEADER + "the,good,books\ncafe,bad,books\nthe !,good,films\n!,bad,films\n" * 20),
        ("`data.split`: no training texts; ", "training texts were taken out as they stand in dev"),
    ),
    # Labels and domains
    (
        "one class",
        texts(HEADER + "".join(f"the {n},good,books\n" for n in range(20))),
        ("a classifier needs two classes or more. Received: ['good']",),
    ),
    (
        "100,000 labels",
        texts(lambda: HEADER + "".join(f"the,{n},b\n" for n in range(10**5))),
        ("texts.csv:1002: `data.columns.label`: more than 1,000 different labels; is this the ri",),
    ),
    (
        "100,000 domains",
        texts(lambda: HEADER + "".join(f"the,a,{n}\n" for n in range(10**5))),
        ("texts.csv:1002: `data.columns.domain`: more than 1,000 different domains; is this the",),
    ),
    (
        "a domain in the test only",
        _test_only,
        ("test.csv:3: `domain`: domain 'toys' of a test text is in no training text; 5 such",),
    ),
    (
        "labels that differ by case",
        texts(_rows("the,Good,books")),
        ("texts.csv:62: `label`: label 'Good' differs from 'good' by case, space or", "write one"),
    ),
    (
        "domains that differ by a space within",
        texts(_rows("the,good,tool box", "the,good,tool  box")),
        ("texts.csv:63: `domain`: domain 'tool  box' differs from 'tool box' by case, space or",),
    ),
    (
        "one number written in two ways",
        texts(_rows("the,1.5,books", "the,1.50,films")),
        ("texts.csv:63: `label`: label '1.50' differs from '1.5' by case, space or trailing zero",),
    ),
]

CASES = [Case(f"data: {name}", build, says) for name, build, says in _REFUSED]
