"""How the pages become a site: ``make docs`` writes build/docs/index.html."""

from importlib.metadata import version as version_of

project = "vidsgg"
version = release = version_of("vidsgg")
copyright = "the vidsgg authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx_design"]
myst_enable_extensions = ["colon_fence"]
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autosummary_generate = False  # the tables link to the pages that describe the names
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 80  # longer signatures get a line for each parameter
myst_heading_anchors = 3
exclude_patterns = ["images"]
html_theme = "furo"
html_title = "vidsgg"
html_static_path = ["_static"]
html_css_files = ["wrap.css"]
