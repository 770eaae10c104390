"""What a reader sees of a page with charts, measured in a browser.

Belongs here: the measurement that tests of pages share. Does not belong here: what must hold of it (the tests).
"""

from __future__ import annotations

from typing import Final

#: What a reader would stumble over: sizes of letters of charts as they are seen, and what sticks out.
LOOK: Final = """() => {
    const seen = [...document.querySelectorAll('svg text')].filter(text => text.getBoundingClientRect().width)
    const size = text => {
        const svg = text.ownerSVGElement
        return parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width
    }
    const outside = text => {
        const card = text.closest('article').getBoundingClientRect(), own = text.getBoundingClientRect()
        return own.right > card.right || own.left < card.left
    }
    const html = [...document.querySelectorAll('p, span, td, th, summary, a, strong')]
    return {
        charts: new Set(seen.map(text => text.ownerSVGElement)).size,
        smallest: Math.min(...seen.map(size)),
        smallestOfPage: Math.min(...html.map(element => parseFloat(getComputedStyle(element).fontSize))),
        outside: seen.filter(outside).map(text => text.textContent),
        width: document.documentElement.scrollWidth,
        page: getComputedStyle(document.body).backgroundColor,
    }
}"""
