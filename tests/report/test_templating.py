"""Templates: everything shown in a page is escaped; files are left as they are."""

import jinja2
import pytest

from easymft.report.sweep_tables import render_sweep_html
from easymft.report.templating import render


def test_pages_are_escaped_and_hold_no_control_characters():
    page = render_sweep_html("<b>", "a bell \x07, half a pair \ud800", {})
    assert "<b><" not in page
    assert "<title>&lt;b&gt;</title>" in page
    assert "a bell \ufffd, half a pair \ufffd" in page


def test_a_missing_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="title"):
        render("page.html.jinja", kind="run", sections=[])


def test_files_of_other_packages_are_not_escaped():
    values = {"image": "a/b&c:1", "server_folder": "/models", "models": ["<x>"], "shown": "<x>"}
    assert "a/b&c:1" in render("docker-compose.yml.jinja", "easymft.export", **values)
