"""The keys of a local stack: generated once, kept in its data directory."""

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from sandbox.stack.errors import DataDirectoryBroken
from sandbox.stack.private import read_object, write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys.

    Attributes:
        store_access_key: the object store's access key id.
        store_secret_key: what its requests are signed with.
        image_api_key: what the image API wants as bearer token.
        api_key: what our own API wants, `im_<key id>_<secret>`.
        admin_key: what it wants of an operator who sets caps, of the same form.
    """

    store_access_key: str
    store_secret_key: str = field(repr=False)
    image_api_key: str = field(repr=False)
    api_key: str = field(repr=False)
    admin_key: str = field(repr=False)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Reads the keys, or makes them on the first start.

        Raises:
            DataDirectoryBroken: the file is there, but a key is missing.
        """
        content = read_object(path)
        if content is None:
            return cls._create(path)
        names = [each.name for each in fields(cls)]
        missing = [name for name in names if not isinstance(content.get(name), str)]
        if missing:
            raise DataDirectoryBroken(path, f"{', '.join(missing)} is missing")
        return cls(**{name: str(content[name]) for name in names})

    @classmethod
    def _create(cls, path: Path) -> Self:
        made = cls(
            store_access_key=secrets.token_hex(10).upper(),
            store_secret_key=secrets.token_hex(20),
            image_api_key=f"sk-sandbox-{secrets.token_hex(16)}",
            api_key=_key(),
            admin_key=_key(),
        )
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
        return made


def _key() -> str:
    # Hexadecimal, since the id and the secret are told apart by the underscore.
    return f"im_{secrets.token_hex(6)}_{secrets.token_hex(20)}"
