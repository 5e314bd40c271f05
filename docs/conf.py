"""Configuration of the documentation: sphinx-build -W docs site.

RELEASE_DOCS=1 also links to the documentation of NumPy, SciPy and scikit-learn, which needs a network.
"""

from __future__ import annotations

import os

import ntklib

RELEASE = bool(os.environ.get("RELEASE_DOCS"))

project = "ntklib"
author = copyright = "the ntklib developers"
version = release = ntklib.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]
default_role = "literal"

# Pages are Markdown. Headings have the anchors that GitHub gives them.
myst_enable_extensions = ["amsmath", "dollarmath", "deflist"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

# The reference is made of docstrings.
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings have them in words
autodoc_preserve_defaults = True
numpydoc_show_class_members = False  # each is documented in full below its class
numpydoc_xref_param_type = False

# The gallery is made of the scripts in examples, which are run.
SECTIONS = (
    "first_steps",
    "kernels",
    "uncertainty",
    "many_rows",
    "features",
    "finite_networks",
    "lazy",
    "optimisation",
    "beyond_lazy",
)
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "subsection_order": [f"../examples/{section}" for section in SECTIONS],
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "parallel": os.cpu_count() or 1,  # examples at a time
    "download_all_examples": False,
    "remove_config_comments": True,
    "ignore_repr_types": r"matplotlib\.",
    "show_memory": False,
    "write_computation_times": False,  # their pages are unreadable on dark, and ask another site for a script
    "show_signature": False,
    "matplotlib_animations": False,
}

if RELEASE:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }


def skip_foreign(app, kind, name, obj, skip, options):
    """Leave out methods inherited from scikit-learn, which documents them itself."""
    return skip or str(getattr(obj, "__module__", "")).startswith("sklearn.")


def setup(app):
    """Register the rule above."""
    app.connect("autodoc-skip-member", skip_foreign)


html_theme = "pydata_sphinx_theme"
html_title = f"ntklib {version}"
html_static_path = ["_static"]
html_css_files = ["ntklib.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "ntklib"},
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "use_edit_page_button": False,
}
