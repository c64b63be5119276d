"""A console that writes what files and errors say as text: no markup, no escape sequences."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from grids.document import one_line


class Terminal(Console):
    """`[/x]` of a folder's name is no closing tag, and a colour code in an error none either."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control is None and not text.replace("\n", "").isprintable():
                text = "\n".join(map(one_line, text.split("\n")))
            yield Segment(text, style, control)
