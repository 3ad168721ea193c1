import base64
import hashlib
import re

from easymft.report.audit import DomainAudit, render_audit_html

ROW = {
    "id": "=1",
    "checksum": "habc",
    "text": "good <script>alert(1)</script>",
    "text_pair": None,
    "label": "good",
    "suggested_label": "bad",
    "why": "reads like bad",
    "score": 0.875,
    "typicality": -0.25,
}


def page(rows=(ROW,), labels=("bad", "good", "so so")):
    domain = DomainAudit("<b>", 8, {"label": 2}, len(rows), rows, [ROW], [ROW], labels)
    return render_audit_html("shop", ["8 texts"], [domain], {"label": "may be wrong"})


def test_the_only_script_is_our_own():
    found = re.findall(r"<script>(.*?)</script>", page(), re.S)
    assert len(found) == 1
    digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\">" in page()
    assert "good &lt;script&gt;alert(1)&lt;/script&gt;" in page()
    assert "<b></bdi>" not in page()


def test_a_text_can_be_given_any_other_class():
    options = re.findall(r'<option value="(\w*)"(?: data-label="([^"]*)")?>', page())
    given = [("", ""), ("keep", ""), ("drop", ""), ("relabel", "bad"), ("relabel", "so so")]
    assert options == given
    many = re.findall(r'data-label="([^"]*)"', page(labels=[f"c{n}" for n in range(30)]))
    assert many == ["bad"]


def test_it_counts_and_shows_typical_texts():
    text = re.sub(r"\s+", " ", page())
    assert '<td class="number">2</td><td class="number">12.5</td>' in text
    assert "1 of 1 texts to look at" in text
    assert "t = \N{MINUS SIGN}0.250" in text
    assert "Nothing to look at." in page(rows=())
