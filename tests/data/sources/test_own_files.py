import gzip
import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.data.sources.load import load_corpus
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError, InputErrors
from tests.data.reading import own

CSV = "text,label,domain\nfirst,pos,books\nsecond,neg,dvd\n"


def write(path, content: str | bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(corpus) -> list[tuple[str, str, str]]:
    return [
        (row["text"], corpus.labels[row["label"]], corpus.domains[row["domain"]])
        for row in corpus.table.to_pylist()
    ]


def test_odd_csv_twelve_domains_bom_crlf_quotes_emoji_semicolon(tmp_path):
    lines, expected = ['"Body; of text";Stars;"Product line"'], []
    texts = itertools.cycle(['say "hi"; ok', "two\r\nlines", "emoji 😀🎉", "plain", " spaced "])
    for domain, label in itertools.product(range(12), ("01", "1", "2")):
        text = next(texts)
        lines.append(f'"{text.replace(chr(34), chr(34) * 2)}";{label};Línea {domain}')
        expected.append((text, label, f"Línea {domain}"))
    path = write(tmp_path / "odd.csv", ("\r\n".join(lines) + "\r\n").encode("utf-8-sig"))
    names = {"text": "Body; of text", "label": "Stars", "domain": "Product line"}
    corpus = load_corpus(own({"all": path}, names))
    assert rows(corpus) == expected
    assert corpus.labels == ("01", "1", "2")
    assert corpus.notes == (
        "UTF-8 with byte order mark, delimiter semicolon",
        "36 rows on 44 lines",
        f"7 rows go on over several lines (first: {path}:3)",
    )
    # A text of two lines makes every later row start one line further down.
    assert corpus.table["line"].to_pylist()[:4] == [2, 3, 5, 6]
    assert corpus.table["id"][3].as_py() == "odd.csv:6"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("a.csv", CSV.replace(",", "|")),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.csv", CSV.encode("utf-16")),
        ("a.csv", CSV.replace("\n", "\r\n\r\n")),
        ("a.csv", "label,extra,domain,text\npos,1,books,first\nneg,2,dvd,second"),
        (
            "a.jsonl",
            '{"text":"first","label":"pos","domain":"books"}\n\n'
            '{"domain":"dvd","label":"neg","text":"second","more":[1]}\n',
        ),
    ],
)
def test_the_same_rows_from_every_text_format(tmp_path, name, content):
    corpus = read_files(own({"all": write(tmp_path / name, content)}))
    assert rows(corpus) == [("first", "pos", "books"), ("second", "neg", "dvd")]


def test_parquet_numbers_become_names(tmp_path):
    table = pa.table({"t": ["a", "b", "c"], "y": [0.0, 1.0, 0.0], "d": [7, 7, 8]})
    pq.write_table(table, tmp_path / "x.parquet")
    corpus = read_files(
        own({"all": tmp_path / "x.parquet"}, {"text": "t", "label": "y", "domain": "d"})
    )
    assert rows(corpus) == [("a", "0", "7"), ("b", "1", "7"), ("c", "0", "8")]


def test_folder_of_texts(tmp_path):
    for place in ("books/pos/1", "books/neg/1", "dvd/pos/1"):
        write(tmp_path / "corpus" / f"{place}.txt", f"text of {place}")
    write(tmp_path / "corpus" / "README.md", "not a text")
    corpus = read_files(own({"all": tmp_path / "corpus"}))
    assert corpus.table["id"].to_pylist() == ["books/neg/1.txt", "books/pos/1.txt", "dvd/pos/1.txt"]
    assert rows(corpus)[2] == ("text of dvd/pos/1", "pos", "dvd")
    assert corpus.notes == ("3 x UTF-8 (detected)",)


def test_files_per_split_with_globs_relative_to_the_folder(tmp_path):
    write(tmp_path / "train-1.csv", CSV)
    write(tmp_path / "train-2.csv", CSV.replace("first", "third"))
    write(tmp_path / "held" / "test.csv", CSV.replace("first", "fourth"))
    corpus = read_files(own({"train": "train-*.csv", "test": "held/test.csv"}, dir=str(tmp_path)))
    splits = corpus.given_splits()
    assert {name: rows_.tolist() for name, rows_ in splits.items()} == {
        "train": [0, 1, 2, 3],
        "dev": [],
        "test": [4, 5],
    }
    assert corpus.table["id"][4].as_py() == "held/test.csv:2"


def test_split_id_pair_and_weight_columns(tmp_path):
    content = "a,b,label,domain,part,key,score\nx,y,1,d,train,k1,0.25\nx,z,2,d,validation,k2,1e-3\n"
    names = {"text": "a", "text_pair": "b", "split": "part", "id": "key", "weight": "score"}
    corpus = read_files(own({"all": write(tmp_path / "a.csv", content)}, names))
    table = corpus.table.to_pylist()
    assert [row["id"] for row in table] == ["k1", "k2"]
    assert [row["split"] for row in table] == ["train", "dev"]
    assert [row["text_pair"] for row in table] == ["y", "z"]
    assert [row["typicality"] for row in table] == pytest.approx([0.25, 0.001])


def test_test_files_need_no_weight(tmp_path):
    train = write(tmp_path / "a.csv", "text,label,domain,w\nx,1,d,0.5\ny,2,d,1\n")
    test = write(tmp_path / "b.csv", "text,label,domain\nz,1,d\n")
    corpus = read_files(own({"train": train, "test": test}, {"weight": "w"}))
    assert corpus.table["typicality"].to_pylist() == [0.5, 1.0, None]


def test_easytransfer_tsv_takes_its_score_as_typicality(tmp_path):
    train = write(tmp_path / "w.tsv", 'a "quoted text\t0\tPOS\t0.93812\nother\t1\tNEG\t0.5\n')
    corpus = read_files(own({"all": train}, format="easytransfer"))
    assert rows(corpus) == [('a "quoted text', "POS", "0"), ("other", "NEG", "1")]
    assert corpus.table["typicality"].to_pylist() == pytest.approx([0.93812, 0.5])
    pairs = write(tmp_path / "p.tsv", "a\tb\t0\tneutral\t0.5\nc\td\t1\tentailment\t0.25\n")
    corpus = read_files(own({"all": pairs}, format="easytransfer"))
    assert corpus.table["text_pair"].to_pylist() == ["b", "d"]
    with pytest.raises(InputError, match="Received: 2 columns"):
        read_files(own({"all": write(tmp_path / "x.tsv", "a\tb\n")}, format="easytransfer"))


def test_tsv_with_plain_quotes_and_tsv_with_quoted_cells(tmp_path):
    plain = write(tmp_path / "a.tsv", 'text\tlabel\tdomain\n"Hm," he said\tp\td\n5" disk\tn\td\n')
    corpus = read_files(own({"all": plain}))
    assert [row[0] for row in rows(corpus)] == ['"Hm," he said', '5" disk']
    assert "quotes are plain characters" in corpus.notes[0]
    quoted = write(tmp_path / "b.tsv", 'text\tlabel\tdomain\n"a\tb ""c"""\tp\td\nx\tn\td\n')
    assert [row[0] for row in rows(read_files(own({"all": quoted})))] == ['a\tb "c"', "x"]


def test_labels_are_kept_exactly_unless_they_are_one_mistyped(tmp_path):
    path = write(tmp_path / "a.csv", "text,label,domain\na,pos,d\nb,Pos,d\nc,neg,D\ne,neg, d\n")
    with pytest.raises(InputErrors) as caught:
        read_files(own({"all": path}))
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (3, "label"),
        (4, "domain"),
    ]
    assert "'Pos' differs from 'pos'" in str(caught.value)


def test_missing_columns_are_named_with_those_found_and_the_nearest(tmp_path):
    path = write(tmp_path / "a.csv", "Text,lable,domain\nx,y,z\n")
    with pytest.raises(InputErrors) as caught:
        read_files(own({"all": path}))
    first, second = map(str, caught.value.problems)
    assert "a.csv:1: `data.columns.text`: no column 'text'" in first
    assert "did you mean 'Text'" in first
    assert "columns found: 'Text', 'lable', 'domain'" in second
    assert "did you mean 'lable'" in second


def test_a_column_that_stands_twice_is_an_error(tmp_path):
    path = write(tmp_path / "a.csv", "text,label,domain,text\nx,y,z,w\n")
    with pytest.raises(InputError, match="column 'text' twice"):
        read_files(own({"all": path}))


def test_stated_delimiter(tmp_path):
    path = write(tmp_path / "a.csv", CSV.replace(",", "^"))
    assert len(read_files(own({"all": path}, delimiter="^"))) == 2
    with pytest.raises(InputError, match=r"must be one character, or auto\. Received: '::'"):
        read_files(own({"all": path}, delimiter="::"))
