"""Templates of pages, cards and files, filled in."""

import re
from typing import Any

import jinja2

from easymft.report import words
from easymft.report.markdown import escape

_NOT_IN_A_PAGE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_FILTERS = {
    "escape_text": escape,
    "one_line": words.one_line,
    "percent": words.percent,
    "signed": words.signed,
}


def render(template: str, /, package: str = "easymft.report", **values: Any) -> str:
    """Return a filled-in template.

    In `*.html.jinja` everything that is shown is escaped, and what no page can hold is replaced;
    elsewhere a user's text must pass the filter `escape_text`.

    Args:
        template: Name of its file.
        package: Where its folder `templates` is.
        **values: What the template names; one that is missing is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    text = environment.get_template(template).render(values)
    return _NOT_IN_A_PAGE.sub("\ufffd", text) if template.endswith(".html.jinja") else text
