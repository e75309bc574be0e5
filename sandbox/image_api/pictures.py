"""Bytes that are delivered in the place of a drawing."""

from dataclasses import dataclass


@dataclass(slots=True)
class _Picture:
    data: bytes
    left: int | None


class Pictures:
    """What answers to some prompts deliver, byte by byte."""

    def __init__(self) -> None:
        self._pictures: dict[str, _Picture] = {}

    def keep(self, prompt: str, data: bytes, times: int | None) -> None:
        """Deliver `data` in the next `times` (None: all) answers to exactly this prompt."""
        self._pictures[prompt] = _Picture(data, times)

    def clear(self) -> None:
        """Draw again."""
        self._pictures.clear()

    def take(self, prompt: str) -> bytes | None:
        """What the answer to a prompt delivers; None: a drawing."""
        found = self._pictures.get(prompt)
        if found is None or found.left == 0:
            return None
        if found.left:
            found.left -= 1
        return found.data

    def report(self) -> list[dict[str, object]]:
        """Each prompt, with the size of its bytes and how many answers are `left`."""
        return [
            {"prompt": prompt, "bytes": len(picture.data), "left": picture.left}
            for prompt, picture in self._pictures.items()
        ]
