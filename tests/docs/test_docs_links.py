"""Links within the documentation lead somewhere, and every page is found from the README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.write_docs import ROOT, pages

PAGES = [*pages(), ROOT / "CHANGELOG.md"]
MOST_KILOBYTES = 250
"""A page of the documentation opens on a slow line, too."""


def links(path: Path) -> Iterator[str]:
    """Targets of links and pictures outside of code."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`(?!\])", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return (match[1] for match in re.finditer(r"\]\(([^)\s]+)\)", prose))


def anchors(path: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub makes it: lower case, no signs, hyphens."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", prose, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    broken = []
    for link in links(path):
        if link.startswith(("https://", "http://")):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert [] == broken


def test_every_page_is_linked_from_the_readme():
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    assert [] == [page.name for page in PAGES[1:] if page not in linked]


def test_every_heading_of_a_page_can_be_linked_to():
    for path in PAGES[:-1]:
        prose = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        titles = re.findall(r"^#+ (.+)$", prose, flags=re.M)
        assert len(titles) == len(anchors(path)), f"{path.name} has two headings of one name"


def test_pictures_are_shown_and_small():
    shown = {Path(link).name for path in PAGES for link in links(path) if Path(link).suffix in (".svg", ".png")}
    images = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert shown == set(images)
    assert {} == {name: size for name, size in images.items() if size > MOST_KILOBYTES * 1000}


def test_pictures_load_nothing():
    svg = (ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")
    assert [] == re.findall(r"(?:href|src)=|@import|url\((?!#)", svg)
