"""A document of Great Expectations' renderers as HTML: every text is written as text, and nothing else gets in.

Belongs here: a function for each kind of content block. Does not belong here: what a document says (``documents``), or
the frame of a page (``templates``).

Of a block's styling only its meaning is read: that something is a value, a heading, or a status. Its attributes, styles
and tags are not, and a block of a kind that is not known here (a chart, which needs a script) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from markupsafe import Markup, escape

from leadgate.plain_text import format_line

#: Characters of one text. A pattern may be long; nothing of a document is longer.
MOST: Final = 4_000
_PLACE: Final = re.compile(r"\$(?:(?P<sign>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII)
#: An icon has no text: what its class says in words.
_STATUSES: Final = {
    "text-success": Markup('<span class="badge good">Succeeded</span>'),
    "text-danger": Markup('<span class="badge bad">Failed</span>'),
    "text-warning": Markup('<span class="badge warn">Not checked</span>'),
}
#: Parameters with markup of the renderer's own, whose meaning is told by another parameter beside them.
_MARKUP: Final = frozenset({"html_success_icon"})


def write_content(block: object) -> Markup:
    """A content block, a list of them, or a plain value. A value of None is nothing."""
    if block is None:
        return Markup()
    if isinstance(block, list | tuple):
        return Markup(" ").join(write_content(each) for each in block)
    if isinstance(block, Mapping):
        write = _WRITERS.get(str(block.get("content_block_type")))
        return Markup() if write is None else write(block)
    return _write_text(block)


def _write_text(value: object) -> Markup:
    return escape(format_line(str(value), MOST))


def _write_string_template(block: Mapping[str, Any]) -> Markup:
    """A text with places for parameters. What a parameter has is not looked at for further places."""
    template = block["string_template"]
    if not isinstance(template, Mapping):
        return _write_text(template)
    text, parameters = str(template.get("template", "")), template.get("params") or {}
    styling = template.get("styling") or {}
    lines = [Markup()]
    end = 0
    for place in [*_PLACE.finditer(text), None]:
        first, *others = text[end : place.start() if place else len(text)].split("\n")
        lines[-1] += _write_part(first)
        lines += [_write_part(each) for each in others]
        if place is not None:
            lines[-1] += _write_place(place, parameters, styling)
            end = place.end()
    begins = Markup("<br>") if text.startswith("\n") else Markup()  # it goes on after another text
    return begins + Markup("<br>").join(line for line in lines if line.strip())


def _write_part(text: str) -> Markup:
    """A part of a line; the spaces at its ends part it from the values beside it."""
    before, after = " " * text.startswith(" "), " " * text.endswith(" ")
    return Markup("{}{}{}").format(before, _write_text(text), after)


def _write_place(place: re.Match[str], parameters: Mapping[str, Any], styling: Mapping[str, Any]) -> Markup:
    name = place["plain"] or place["braced"]
    if name is None:
        return Markup("$")
    if name not in parameters:
        return _write_text(place[0])
    return Markup() if name in _MARKUP else _write_parameter(parameters[name], _find_style(styling, name))


def _find_style(styling: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    of_parameters: Mapping[str, Any] = styling.get("params") or {}
    style: Mapping[str, Any] = of_parameters.get(name) or styling.get("default") or {}
    return style


def _write_parameter(value: object, style: Mapping[str, Any]) -> Markup:
    classes, text = set(style.get("classes") or ()), Markup() if value is None else _write_text(value)
    if not text:
        return next((words for name, words in _STATUSES.items() if name in classes), Markup())
    if "h6" in classes:
        return Markup("<strong>{}</strong>").format(text)
    return Markup("<code>{}</code>").format(text) if "badge" in classes or style.get("tag") == "code" else text


def _write_header(block: Mapping[str, Any]) -> Markup:
    title = Markup("<h2>{}</h2>").format(write_content(block.get("header")))
    subheader = write_content(block.get("subheader"))
    return title + Markup("<p>{}</p>").format(subheader) if subheader else title


def _write_heading(block: Mapping[str, Any]) -> Markup:
    """The heading of a block within a section."""
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
    """Without names of columns, the first cell says what the others are."""
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
    """Something that is folded in where there is a script; here it is open."""
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
