"""Sections of the page, of as much of an analysis as they read."""

from types import SimpleNamespace

from ntklib.lab.report import SECTIONS


def render(slug, **parts):
    section = next(section for section in SECTIONS if section.slug == slug)
    return section.render(SimpleNamespace(**parts))
