import tarfile

import pytest

from easymft.data.sources import snippets
from easymft.errors import InputError, InputErrors
from tests.data.reading import write_snippets


def test_classes_are_the_sign_of_ratings_beyond_the_threshold(tmp_path):
    amazon = (
        "1_1\t0.5\tjust good enough\r\n1_2\t0.49\tneutral\r\n1_3\t-0.5\tpoor\r\n1_4\t0\tnone\r\n"
    )
    path = write_snippets(tmp_path / "a.tar.gz", amazon=amazon, tweet="7\t-3\tR&amp;B \u2639\r\n")
    corpus = snippets.read_archive(path)
    assert corpus.domains == ("amazon", "editorial", "movie", "tweet")
    assert corpus.labels == ("negative", "positive")
    rows = {row["id"]: row for row in corpus.table.to_pylist()}
    assert len(rows) == 2 + 2 + 2 + 1
    assert rows["amazon/1_1"]["label"] == 1
    assert rows["amazon/1_3"]["label"] == 0
    assert rows["amazon/1_3"]["line"] == 3
    assert rows["tweet/7"]["text"] == "R&B \u2639"
    assert corpus.notes == ("2 texts with a mean rating between -0.5 and 0.5 left out",)


def test_bad_lines_are_named(tmp_path):
    path = write_snippets(
        tmp_path / "a.tar.gz", movie="1\t1\tfine\r\n2\tgood\tno number\r\nno tabs\r\n"
    )
    with pytest.raises(InputErrors) as caught:
        snippets.read_archive(path)
    assert [problem.line for problem in caught.value.problems[:2]] == [2, 3]
    assert str(caught.value.problems[0].file).endswith("movieReviewSnippets_GroundTruth.txt")


@pytest.mark.parametrize("line", ["1\tnan\ttext", "1\tinf\ttext", f"1\t2\t&#{'9' * 5000};"])
def test_numbers_that_are_none(tmp_path, line):
    path = write_snippets(tmp_path / "a.tar.gz", tweet=f"2\t1\tfine\n{line}\n")
    with pytest.raises(InputError, match=r"tweets_GroundTruth\.txt:2: must be id"):
        snippets.read_archive(path)


def test_an_archive_cut_short(tmp_path):
    path = write_snippets(tmp_path / "a.tar.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a\.tar\.gz: cannot be unpacked .*get it again"):
        snippets.read_archive(path)


def test_an_archive_without_the_texts_is_an_error(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("other"))
    with pytest.raises(InputError, match=r"lacks the members.*hutto_ICWSM_2014/amazon"):
        snippets.read_archive(path)
