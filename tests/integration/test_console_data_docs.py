"""Data Docs in the console: for whom, from where, and what a browser does with them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from accessible import find_violations
from console_site import ConsoleSite
from harness import NOW, Harness, make_lead

from console.web.visitors import COOKIE
from leadgate.vocabulary import Role
from tasks.data_docs import build_data_docs

ADDRESS = "/quality/data-docs/"


@pytest.fixture
def console_as_of() -> Any:
    return NOW + timedelta(minutes=10)


@pytest.fixture
def built(harness: Harness, console: ConsoleSite) -> Path:
    """The folder of a build in the console's data folder."""
    harness.begin(make_lead(1), make_lead(8, Phone="call me"))
    return build_data_docs(harness.ledger, harness.loaded, NOW).folder


def test_who_may_read_quality_is_led_from_its_page_to_a_suite_and_a_validation(
    built: Path, console: ConsoleSite
) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    quality = olga.get("/quality")
    assert "built 10 min ago" in quality.words
    assert ADDRESS in quality.tree.xpath("//main//a/@href")
    index = olga.get("/quality/data-docs")
    assert index.address.endswith(ADDRESS)
    suites = index.tree.xpath("//a[starts-with(@href, 'suite-')]/@href")
    assert olga.get(ADDRESS + suites[1]).words.count("values must match this regular expression") == 3
    validations = index.tree.xpath("//a[starts-with(@href, 'validation-')]/@href")
    assert "Statistics" in olga.get(ADDRESS + validations[0]).words
    assert olga.get(f"{ADDRESS}style.css").headers["content-type"].startswith("text/css")


def test_a_browser_may_do_less_with_them_than_with_other_pages(built: Path, console: ConsoleSite) -> None:
    page = console.sign_in("olga", Role.OPERATOR).get(ADDRESS)
    policy = {
        each.split(" ", 1)[0]: each.split(" ")[1:] for each in page.headers["content-security-policy"].split("; ")
    }
    assert policy["default-src"] == ["'none'"]
    assert policy["style-src"] == ["'self'"]
    assert policy["sandbox"] == ["allow-same-origin"]
    assert "script-src" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.REP, 403), (Role.PRIVACY_OFFICER, 403), (Role.MANAGER, 200), (Role.REVIEWER, 200), (Role.ADMIN, 200)],
)
def test_they_are_for_who_may_read_quality(built: Path, console: ConsoleSite, role: Role, status: int) -> None:
    someone = console.sign_in("someone", role, rep="ana" if role is Role.REP else None)
    for address in ("/quality/data-docs", ADDRESS, f"{ADDRESS}suite-captured.html", f"{ADDRESS}style.css"):
        assert someone.get(address).status == status, address
    assert console.visit().send("GET", f"{ADDRESS}index.html").status == 303


@pytest.mark.parametrize(
    "name",
    ["../current.json", "..%2fcurrent.json", "%2e%2e/%2e%2e/key", "current.json", "build.lock", "nothing.html",
     "%00.html", "index.html%00", "<b>.html", "x" * 3_000 + ".html", "link.html", "large.html", "script.js"],
)  # fmt: skip
def test_anything_but_a_page_of_the_build_is_not_there(built: Path, console: ConsoleSite, name: str) -> None:
    (built / "link.html").symlink_to(built.parent / "current.json")
    (built / "large.html").write_bytes(b"x" * 5_000_000)
    (built / "script.js").write_text("1")
    page = console.sign_in("olga", Role.OPERATOR).send("GET", ADDRESS + name)
    assert page.status == 404
    assert "built_at" not in page.text


def test_where_they_were_never_built_it_is_told_how_they_are(harness: Harness, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    missing = olga.get(ADDRESS)
    assert missing.status == 404
    for page in (missing, olga.get("/quality")):
        assert "leadgate quality docs" in page.words
        assert "build-data-docs" in page.words


#: What a file might have got that somebody has put something into; each tells that it was there by a request.
FOREIGN = """<script>fetch("/ran-inline"); document.location = "/ran-away"</script><script src="/ran-file.js"></script>
<script src="https://other.example/a.js"></script><img src="https://other.example/a.png" onerror="fetch('/ran-on-error')">
<img src="/own-picture.png"><link rel="stylesheet" href="https://other.example/a.css"><style>@import "https://other.example/b.css"</style>
<iframe src="/own-frame"></iframe><form action="/own-form"><button>Send</button></form>
<meta http-equiv="refresh" content="0; url=https://other.example/">"""


def test_a_browser_asks_for_the_page_and_its_style_and_for_nothing_else(
    built: Path, console: ConsoleSite, browser: Any
) -> None:
    """Also where somebody has put scripts, pictures, frames and addresses of other servers into a file."""
    olga = console.sign_in("olga", Role.OPERATOR)
    (built / "tampered.html").write_text((built / "index.html").read_text().replace("<main>", f"<main>{FOREIGN}"))
    context = browser.new_context(extra_http_headers={"Cookie": f"{COOKIE}={olga.token}"})
    context.set_default_timeout(30_000)
    here = f"http://127.0.0.1:{console.port}{ADDRESS}"
    sent: list[Any] = []
    context.on("request", lambda request: sent.append(request))
    for name in ("tampered.html", "index.html"):  # the first goes on while the other is loaded
        context.new_page().goto(here + name)
    asked = {each.url for each in sent if "csp" not in (each.failure or "").lower()}
    context.close()
    assert asked <= {f"{here}{name}" for name in ("index.html", "tampered.html", "style.css")}
    assert f"{here}style.css" in asked


def test_the_files_are_accessible_and_no_wider_than_a_phone(built: Path, browser: Any) -> None:
    """Without the console: in its sandbox no script runs, not even one that looks for what WCAG forbids."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    (validation,) = (each for each in built.glob("validation-*.html") if "What broke" in each.read_text())
    for file in (built / "index.html", built / "suite-validated.html", validation):
        page.goto(file.as_uri())
        assert page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "10px"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, file.name
        assert find_violations(page) == [], file.name
    context.close()
