"""The site, made by Sphinx: ``.ci/run site``, or ``sphinx-build -W docs build/site``.

Sphinx with MyST was chosen because it reads the docstrings' own markup and these Markdown pages,
resolves every name across both, has had a search without a server for years, and is what most typed
Python libraries use. Furo has a light and a dark theme. Read the Docs keeps a version for each
release: see .readthedocs.yaml.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent / "src")]

from make_reference import MODULES  # noqa: E402

from pop3proto import __version__  # noqa: E402

project = "pop3proto"
author = project_copyright = "The pop3proto authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
# docs/reference.md is the short table, for readers without the site: here it is api.
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "fieldlist"]

html_theme = "furo"
html_title = f"pop3proto {version}"
html_static_path = ["_static"]
html_theme_options = {
    "source_repository": "https://github.com/pop3proto/pop3proto/",
    "source_branch": "main",
    "source_directory": "docs/",
}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {
    "imported-members": True,
    "show-inheritance": True,
}


def write_api(app: Any) -> None:
    """Write a page for each public module, with its docstrings; no name is on two pages."""
    folder = DOCS / "api"
    folder.mkdir(exist_ok=True)
    homes: dict[int, str] = {}
    pages = {f"{name}.rst": page_of(name, about, homes) for name, about in MODULES.items()}
    names = "\n   ".join(MODULES)
    pages["index.rst"] = f"API\n===\n\n.. toctree::\n   :maxdepth: 1\n\n   {names}\n"
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def page_of(module: str, about: str, homes: dict[int, str]) -> str:
    """Return the source of a module's page; ``homes`` has the page of each object so far."""
    found = import_module(module)
    names = getattr(found, "__all__", None) or [
        name for name, member in vars(found).items() if getattr(member, "__module__", "") == module
    ]
    members = {name: getattr(found, name) for name in names if not name.startswith("_")}
    elsewhere = {
        name: homes[id(member)]
        for name, member in members.items()
        if homes.setdefault(id(member), module) != module
    }
    title = f"``{module}``"
    lines = [title, "=" * len(title), "", f"{about[0].upper()}{about[1:]}.", ""]
    if elsewhere:
        also = ", ".join(
            f":any:`{name} <{home}.{name}>`" if isinstance(members[name], type) else f"``{name}``"
            for name, home in elsewhere.items()
        )
        lines += [f"It also has {also}.", ""]
    here = [name for name in members if name not in elsewhere]
    lines += [f".. automodule:: {module}"]
    lines += [f"   :members: {', '.join(here)}"] if here else ["   :no-members:"]
    return "\n".join(lines) + "\n"


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", write_api)
