"""``python -m sandbox.image_api``: run the sandbox image API."""

import argparse
from datetime import date
from pathlib import Path

from sandbox.image_api import catalog, server
from sandbox.image_api.app import Settings
from sandbox.image_api.limits import Limits
from sandbox.image_api.profiles import OPENAI, PROFILES


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.image_api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on [%(default)s]")
    parser.add_argument("--port", type=int, default=0, help="the port; 0 takes a free one [%(default)s]")
    parser.add_argument("--api-key", required=True, help="the bearer key that calls must carry")
    parser.add_argument("--ledger", type=Path, required=True, help="the file that calls are billed to")
    parser.add_argument(
        "--speed", type=float, default=0.02, help="scale of the real latencies; 1 real, 0 none [%(default)s]"
    )
    parser.add_argument("--seed", type=int, default=0, help="for latencies and the chances of faults")
    _add_limits(parser)
    parser.add_argument(
        "--profile", choices=PROFILES, default=OPENAI.name, help="the provider to be like [%(default)s]"
    )
    parser.add_argument(
        "--serves", action="append", default=[], metavar="MODEL", help="serve a model beyond its date; repeat"
    )
    parser.add_argument("--today", type=date.fromisoformat, help="the day that retires models [the real one]")
    parser.add_argument("--drawers", type=int, default=2, help="threads that draw [%(default)s]")
    parser.add_argument("--ready-file", type=Path, help="gets the URL and the process id, once listening")
    return parser.parse_args()


def _add_limits(parser: argparse.ArgumentParser) -> None:
    tiers = sorted(catalog.load().tiers)
    parser.add_argument("--tier", type=int, choices=tiers, help="limits of an account of this tier [none]")
    parser.add_argument("--images-per-minute", type=int, help="the limit of each model [the tier's]")
    parser.add_argument("--tokens-per-minute", type=int, help="the limit of each model [the tier's]")
    parser.add_argument("--no-limit-headers", action="store_true", help="limit without a header that says so")


def _limits(arguments: argparse.Namespace) -> Limits:
    tier = catalog.load().tiers[arguments.tier] if arguments.tier else None
    return Limits(
        images_per_minute=arguments.images_per_minute or (tier and tier.images),
        tokens_per_minute=arguments.tokens_per_minute or (tier and tier.tokens),
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    listener = server.listen(arguments.host, arguments.port)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    settings = Settings(
        api_key=arguments.api_key,
        ledger=arguments.ledger,
        base_url=f"http://{host}:{listener.getsockname()[1]}",
        speed=arguments.speed,
        seed=arguments.seed,
        limits=_limits(arguments),
        limit_headers=not arguments.no_limit_headers,
        profile=PROFILES[arguments.profile],
        serves=frozenset(arguments.serves),
        today=arguments.today,
        drawers=arguments.drawers,
    )
    server.serve(settings, listener, arguments.ready_file)


if __name__ == "__main__":
    main()
