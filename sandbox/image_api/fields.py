"""A request's parameters, read by name and type."""

from collections.abc import Collection

from sandbox.image_api import errors


class Fields:
    """The parameters by name; null stands for absent."""

    def __init__(self, body: object, known: Collection[str]) -> None:
        """Take a request body.

        Raises:
            ApiError: 400, it is no JSON object, or has a parameter that is not `known`.
        """
        if not isinstance(body, dict):
            raise errors.malformed_json()
        for name in body:
            if name not in known:
                raise errors.unknown_parameter(name)
        self._values = {name: value for name, value in body.items() if value is not None}

    def is_set(self, name: str) -> bool:
        """Whether the parameter is there."""
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise errors.invalid_type(name, "a string")
        # JSON can spell halves of characters, which no UTF-8 can hold.
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise errors.invalid_value(name, f"Invalid '{name}': not valid Unicode.")
        return value

    def required(self, name: str) -> str:
        """A string that must be there."""
        if name not in self._values:
            raise errors.missing(name)
        return self.text(name)

    def short(self, name: str, characters: int) -> str:
        """A string of at most so many characters."""
        value = self.text(name)
        if len(value) > characters:
            raise errors.string_above_max_length(name, characters, len(value))
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of some strings."""
        value = self.text(name, default)
        if value not in choices:
            raise errors.invalid_value(name, unsupported(value, choices))
        return value

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise errors.invalid_type(name, "an integer")
        if not low <= value <= high:
            message = f"Invalid '{name}': expected a value from {low} to {high}, but got {value} instead."
            raise errors.invalid_value(name, message)
        return value

    def flag(self, name: str) -> bool:
        """A boolean that is false by default."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise errors.invalid_type(name, "a boolean")
        return value


def unsupported(value: str, choices: tuple[str, ...]) -> str:
    """The message about a value that is none of the choices."""
    names = ", ".join(f"'{choice}'" for choice in choices)
    return f"Invalid value: '{value}'. Supported values are: {names}."
