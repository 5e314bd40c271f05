"""The page on a phone of 390 pixels and on paper: what HTML and style sheet say, without a browser."""

import re
import warnings
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from matplotlib.figure import Figure

import ntklib.lab.report._contenders as contenders
from ntklib.lab import report
from ntklib.lab.report import analyse, render_page
from ntklib.lab.report._contenders import CONTENDERS
from ntklib.lab.tables import Table

PAINT = Figure.savefig
VOID = frozenset({"meta", "br", "img", "link", "use", "path", "rect", "image"})
PHONE = 390
TARGET = r"$\bad$" + "y" * 60
CLASS = r"$\worse{$" + "class_with_a_long_name" * 3
PIXELS = {"px": 1.0, "rem": 16.0, "em": 16.0}


@pytest.fixture(scope="module")
def painting():
    """What is painted is arranged, as users see it."""


def table(task):
    """Forty columns, two of them with long names, and a target with a long one."""
    rng = np.random.default_rng(0)
    names = ["a name of many words that goes on and on", "without_any_blank_" * 5]
    names += [f"c{j}" for j in range(38)]
    X = rng.normal(size=(60, len(names)))
    y = X[:, 0] ** 2
    if task == "classification":
        y = np.where(y > np.median(y), CLASS, "other").astype(object)
    return Table("a_long_file_name_without_any_blank" * 3, (*names, TARGET), (*X.T, y), np.arange(60))


@pytest.fixture(scope="module")
def pages():
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(Figure, "savefig", PAINT)
        patch.setattr(contenders, "PENALTY_GRID", (0.1,))
        patch.setattr(contenders, "C_GRID", (1.0,))
        patch.setattr(contenders, "GAMMA_FACTORS", (1.0,))
        patch.setattr("ntklib.lab.report._analysis.CONTENDERS", CONTENDERS[:2])
        warnings.simplefilter("error")  # of labels that leave no room for a picture
        return {
            task: Page(render_page(analyse(table(task), target=TARGET, kernels="ntk")))
            for task in ("regression", "classification")
        }


@pytest.fixture(params=["regression", "classification"])
def page(request, pages):
    return pages[request.param]


class Page(HTMLParser):
    """Elements with their attributes and what they are inside of, and the rules of the style sheet."""

    def __init__(self, text):
        super().__init__()
        self.text, self.open, self.elements = text, [], []
        self.feed(text)
        self.rules = rules(re.search(r"<style>\n(.*?)</style>", text, re.DOTALL)[1])

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [*self.open]))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [*self.open]))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def all(self, tag):
        """Attributes of the elements of a tag, with the tags and classes that they are inside of."""
        for own, attributes, parents in self.elements:
            if own == tag:
                around = {name for name, _ in parents}
                classes = {c for _, values in parents for c in values.get("class", "").split()}
                yield attributes, around | {f".{c}" for c in classes}

    def style(self, selector, *media):
        """What holds for a selector as it is written: by itself, and in these media."""
        found = {}
        for where, selectors, declarations in self.rules:
            if selector in selectors and where in ("", *media):
                found |= declarations
        return found


def rules(css, media=""):
    """Rules of a style sheet: medium, selectors and declarations."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found, place = [], 0
    while (start := css.find("{", place)) >= 0:
        head, depth, end = " ".join(css[place:start].split()), 1, start + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        body, place = css[start + 1 : end - 1], end
        if head.startswith("@media"):
            found += rules(body, head.removeprefix("@media "))
            continue
        parts = (part.split(":", 1) for part in body.split(";") if part.strip())
        declarations = {name.strip(): " ".join(value.split()) for name, value in parts}
        found.append((media, [one.strip() for one in head.split(",")], declarations))
    return [(media or where, selectors, declarations) for where, selectors, declarations in found]


NARROW = "(max-width: 36rem)"


def test_a_phone_is_told_its_width(page):
    views = [own["content"] for own, _ in page.all("meta") if own.get("name") == "viewport"]
    assert views == ["width=device-width, initial-scale=1"]
    assert 36 * PIXELS["rem"] > PHONE
    assert any(where == NARROW for where, _, _ in page.rules)


def test_pictures_are_no_wider_than_the_page(page):
    pictures = list(page.all("svg"))
    assert len(pictures) >= 10
    for own, around in pictures:
        assert "viewbox" in own
        assert not {"width", "height", "style"} & own.keys()
        assert {"figure", ".pair"} & around
    assert all("svg" in around for _, around in page.all("image"))
    assert not list(page.all("img"))
    for own, _ in page.all("figure"):
        assert 0 < int(re.fullmatch(r"--width:(\d+)%", own["style"])[1]) <= 100
    for selector in ("figure svg", ".pair svg"):
        style = page.style(selector)
        assert (style["max-width"], style["height"], style["overflow"]) == ("100%", "auto", "visible")
        assert page.style(selector, NARROW)["width"] == "100%"


def test_wide_tables_and_commands_scroll_by_themselves(page):
    tables = list(page.all("table"))
    assert len(tables) >= 4
    assert all(".scroll" in around for _, around in tables)
    assert page.style(".scroll")["overflow-x"] == page.style("pre")["overflow-x"] == "auto"


def test_sections_that_these_pages_lack_are_laid_out_alike():
    """Of networks, for instance."""
    texts = {path.name: path.read_text() for path in resources.files(report).joinpath("templates").iterdir()}
    tables = [len(re.findall(r"<table\b", text)) for text in texts.values()]
    assert tables == [text.count('<div class="scroll"><table') for text in texts.values()]
    assert sum(tables) == 3
    assert sorted(name for name, text in texts.items() if ".svg }}" in text) == [
        "drivers.html",
        "macros.html",
    ]


def test_long_words_are_broken(page):
    """Names of files, columns and classes may have no blank."""
    for selector in ("h1", "p", "li", "td", "tbody th", ".tile b", "code"):
        assert page.style(selector)["overflow-wrap"] in ("anywhere", "break-word"), selector


def test_nothing_has_to_be_wider_than_a_phone(page):
    """Widths that are asked for, beside the paddings of a section and of the page."""
    edge = 2 * (0.7 + 1.0) * PIXELS["rem"] + 2
    assert (
        page.style("main", NARROW)["padding-left"] == page.style("main", NARROW)["padding-right"] == ".7rem"
    )
    assert page.style("section", NARROW)["padding"] == "1.1rem 1rem"
    asked = []
    for where, selectors, declarations in page.rules:
        if where == "print":
            continue
        for name in ("width", "min-width", "flex-basis", "grid-template-columns"):
            value = declarations.get(name, "").replace("min(19rem, 100%)", "100%")
            for number, unit in re.findall(r"([\d.]+)(px|rem|em)\b", value):
                asked.append(float(number) * PIXELS[unit])
                assert asked[-1] <= PHONE - edge, selectors
            assert "nowrap" not in declarations.get("white-space", "") or selectors[0] in {
                "td.number",
                ".interval",
            }
    assert len(asked) >= 3


def test_paper_holds_everything_and_cuts_nothing(page):
    def printed(selector):
        return page.style(selector, "print")

    folds = [own for own, _ in page.all("details")]
    assert len(folds) == 2  # all columns, and how the kernel thinks
    assert not any("open" in own for own in folds)
    assert printed("details::details-content")["content-visibility"] == "visible"
    assert list(page.all("nav"))
    assert printed("nav")["display"] == "none"
    for selector in ("figure", ".pair svg", "tr", ".tile"):
        assert printed(selector)["break-inside"] == "avoid"
    assert printed("h2")["break-after"] == "avoid"
    for selector in (".scroll", "pre"):  # what is behind its edge would be lost
        assert printed(selector)["overflow"] == "visible"
    assert printed("pre")["white-space"] == "pre-wrap"
    hidden = {
        s for where, own, d in page.rules if d.get("display") == "none" for s in own if where == "print"
    }
    assert hidden == {"nav"}
    assert not [where for where, _, _ in page.rules if "dark" in where and "screen" not in where]
