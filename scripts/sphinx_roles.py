"""A Griffe extension that turns Sphinx's notation in docstrings into Markdown: references, doctests and ``::``."""

from __future__ import annotations

import re
from typing import Any, Final

import griffe

_ROLE: Final = re.compile(r":(?:class|func|meth|mod|data|attr|exc|const):`(~?)([\w.]+)`")
_DOCTEST: Final = re.compile(r"^( *)>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
_LITERAL: Final = re.compile(r"::$", re.MULTILINE)


class SphinxRoles(griffe.Extension):
    """Turns ``:class:`Name``` into a link to where Griffe finds the name, or into code if the site does not have it.

    Doctests become blocks of code.
    """

    def on_package(self, *, pkg: griffe.Module, **_kwargs: Any) -> None:
        """Rewrite the docstrings of a package after all of its modules were read: names may be defined further down."""
        _rewrite(pkg)


def _rewrite(found: griffe.Object) -> None:
    if found.docstring is not None:
        text = _ROLE.sub(lambda match: _link(found, match), found.docstring.value)
        text = _DOCTEST.sub(lambda match: f"{match[1]}```python\n{match[0]}\n{match[1]}```", text)
        found.docstring.value = _LITERAL.sub(":", text)
    for member in found.members.values():
        if isinstance(member, griffe.Object):  # an alias is an imported name, and documented where it is defined
            _rewrite(member)


def _link(found: griffe.Object, match: re.Match[str]) -> str:
    target = match[2]
    shown = target.rpartition(".")[2] if match[1] else target
    try:
        path = found.resolve(target)
        documented = _is_documented(found.modules_collection[path])
    except (griffe.NameResolutionError, KeyError):
        return f"`{shown}`"
    return f"[`{shown}`][{path}]" if documented else f"`{shown}`"


def _is_documented(target: griffe.Object | griffe.Alias) -> bool:
    private = any(part.startswith("_") for part in target.path.split("."))
    return target.has_docstring and not private and target.path.startswith(("stinger.", "models."))
