"""Content blocks of Great Expectations' renderers as HTML: every text of a block is escaped.

Belongs here: a function for each kind of content block. Does not belong here: what a document says (``documents``), or
the frame of a page (``templates``).

A block's styling is read for three meanings: a value, a heading, a status. Its attributes, styles and tags are ignored,
and a block of an unknown kind, such as a chart, which needs a script, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from markupsafe import Markup, escape

from leadgate.plain_text import format_line

#: A text is cut to this many characters. Patterns are the longest texts of a document.
MAX_TEXT_LENGTH: Final = 4_000
_PLACEHOLDER: Final = re.compile(r"\$(?:(?P<sign>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII)
#: The badge for each class of an icon: an icon has no text of its own.
_STATUS_BADGES: Final = {
    "text-success": Markup('<span class="badge good">Succeeded</span>'),
    "text-danger": Markup('<span class="badge bad">Failed</span>'),
    "text-warning": Markup('<span class="badge warn">Not checked</span>'),
}
#: Parameters that hold the renderer's own markup. Another parameter of the same text has their meaning.
_MARKUP_PARAMETERS: Final = frozenset({"html_success_icon"})


def write_content(block: object) -> Markup:
    """Write a content block, a list of content blocks, or a plain value. None is written as nothing."""
    if block is None:
        return Markup()
    if isinstance(block, list | tuple):
        return Markup(" ").join(write_content(each) for each in block)
    if isinstance(block, Mapping):
        write = _WRITERS.get(str(block.get("content_block_type")))
        return Markup() if write is None else write(block)
    return _write_text(block)


def _write_text(value: object) -> Markup:
    return escape(format_line(str(value), MAX_TEXT_LENGTH))


def _write_string_template(block: Mapping[str, Any]) -> Markup:
    """Write a text with its placeholders filled. A placeholder inside a parameter's value stays as it is."""
    template = block["string_template"]
    if not isinstance(template, Mapping):
        return _write_text(template)
    text, parameters = str(template.get("template", "")), template.get("params") or {}
    styling = template.get("styling") or {}
    lines = [Markup()]
    end = 0
    for placeholder in [*_PLACEHOLDER.finditer(text), None]:
        first, *others = text[end : placeholder.start() if placeholder else len(text)].split("\n")
        lines[-1] += _write_part(first)
        lines += [_write_part(each) for each in others]
        if placeholder is not None:
            lines[-1] += _write_placeholder(placeholder, parameters, styling)
            end = placeholder.end()
    begins = Markup("<br>") if text.startswith("\n") else Markup()  # the text continues another one
    return begins + Markup("<br>").join(line for line in lines if line.strip())


def _write_part(text: str) -> Markup:
    """Write the text between two placeholders. One space at each end is kept, before and after a value."""
    before, after = " " * text.startswith(" "), " " * text.endswith(" ")
    return Markup("{}{}{}").format(before, _write_text(text), after)


def _write_placeholder(placeholder: re.Match[str], parameters: Mapping[str, Any], styling: Mapping[str, Any]) -> Markup:
    name = placeholder["plain"] or placeholder["braced"]
    if name is None:
        return Markup("$")
    if name not in parameters:
        return _write_text(placeholder[0])
    return Markup() if name in _MARKUP_PARAMETERS else _write_parameter(parameters[name], _find_style(styling, name))


def _find_style(styling: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    of_parameters: Mapping[str, Any] = styling.get("params") or {}
    style: Mapping[str, Any] = of_parameters.get(name) or styling.get("default") or {}
    return style


def _write_parameter(value: object, style: Mapping[str, Any]) -> Markup:
    classes, text = set(style.get("classes") or ()), Markup() if value is None else _write_text(value)
    if not text:
        return next((words for name, words in _STATUS_BADGES.items() if name in classes), Markup())
    if "h6" in classes:
        return Markup("<strong>{}</strong>").format(text)
    return Markup("<code>{}</code>").format(text) if "badge" in classes or style.get("tag") == "code" else text


def _write_header(block: Mapping[str, Any]) -> Markup:
    title = Markup("<h2>{}</h2>").format(write_content(block.get("header")))
    subheader = write_content(block.get("subheader"))
    return title + Markup("<p>{}</p>").format(subheader) if subheader else title


def _write_heading(block: Mapping[str, Any]) -> Markup:
    """Write the header and subheader of a block within a section as headings."""
    told = [write_content(block.get(name)) for name in ("header", "subheader")]
    return Markup().join(Markup("<h3>{}</h3>").format(each) for each in told if each)


def _write_table(block: Mapping[str, Any]) -> Markup:
    names = [write_content(each) for each in block.get("header_row") or ()]
    rows = [row for row in block["table"] if any(cell is not None for cell in row[1:])]
    if not rows:
        return Markup()
    body = Markup().join(Markup("<tr>{}</tr>").format(_write_cells(row, names)) for row in rows)
    if not names:
        return _write_heading(block) + Markup('<table class="facts"><tbody>{}</tbody></table>').format(body)
    head = Markup().join(Markup('<th scope="col">{}</th>').format(name) for name in names)
    table = Markup('<table class="stack"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>')
    return _write_heading(block) + table.format(head, body)


def _write_cells(row: list[Any], names: list[Markup]) -> Markup:
    """Write the cells of a table row. In a table without column names the first cell is the header of its row."""
    cells = [write_content(cell) for cell in row]
    if names:
        labels = [name.striptags() for name in names]
        return Markup().join(
            Markup('<td data-label="{}">{}</td>').format(label, cell)
            for label, cell in zip(labels, cells, strict=False)
        )
    first, *others = cells
    return Markup('<th scope="row">{}</th>').format(first) + Markup().join(
        Markup("<td>{}</td>").format(each) for each in others
    )


def _write_bullet_list(block: Mapping[str, Any]) -> Markup:
    points = [point for each in block["bullet_list"] if (point := write_content(each)).strip()]
    items = Markup().join(Markup("<li>{}</li>").format(each) for each in points)
    return _write_heading(block) + Markup("<ul>{}</ul>").format(items) if points else Markup()


def _write_value_list(block: Mapping[str, Any]) -> Markup:
    return _write_heading(block) + Markup("<p>{}</p>").format(write_content(block["value_list"]))


def _write_paragraphs(block: Mapping[str, Any]) -> Markup:
    texts = block["text"] if isinstance(block["text"], list) else [block["text"]]
    paragraphs = Markup().join(Markup("<p>{}</p>").format(write_content(each)) for each in texts)
    heading = block.get("header")
    return (Markup("<h3>{}</h3>").format(write_content(heading)) if heading else Markup()) + paragraphs


def _write_collapse(block: Mapping[str, Any]) -> Markup:
    """Write a block that Great Expectations' own pages fold in with a script; without a script it is shown open."""
    content = write_content(block["collapse"])
    return Markup('<div class="more">{}</div>').format(content) if content.strip() else Markup()


def _write_container(block: Mapping[str, Any]) -> Markup:
    return _write_heading(block) + write_content(block["content_blocks"])


_WRITERS: Final[dict[str, Callable[[Mapping[str, Any]], Markup]]] = {
    "string_template": _write_string_template,
    "header": _write_header,
    "table": _write_table,
    "bullet_list": _write_bullet_list,
    "value_list": _write_value_list,
    "text": _write_paragraphs,
    "markdown": lambda block: _write_text(block["markdown"]),
    "collapse": _write_collapse,
    "content_block_container": _write_container,
}
