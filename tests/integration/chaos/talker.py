"""A client as a process of its own: opens connections and talks on them, as its input says line by line.

open 1        → "opened", or the name of what went wrong
say 1 hello   → what is answered to it, or the name of what went wrong
hear 1        → the same, of something said before
"""

import socket
import sys
from contextlib import suppress

PATIENCE = 0.5


def main() -> None:
    port, connections = int(sys.argv[1]), {}
    for line in sys.stdin:
        word, name, *text = line.split()
        try:
            if word == "open":
                connections[name] = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                said = "opened"
            else:
                if word == "say":
                    connections[name].sendall(f"{text[0]}\n".encode())
                said = connections[name].recv(1_000_000).decode().strip() or "closed"
        except OSError as error:
            said = type(error).__name__
        with suppress(BrokenPipeError):
            print(said, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
