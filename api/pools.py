"""Checks which pools a submission may name, and puts aliases in the place of models."""

from collections.abc import Iterable, Sequence

from imagemill.domain.pools import Pools


def pool_problems(pools: Pools, wanted: Sequence[str], models: Iterable[str]) -> list[tuple[str, str]]:
    """What is wrong with the pools of a submission: (pointer, what would be right)."""
    known = ", ".join(pools.names)
    problems = [
        (f"/pools/{place}", f"there is no pool {name!r}; there are: {known}")
        for place, name in enumerate(wanted)
        if name not in pools
    ]
    if problems:
        return problems
    where = f"of {', '.join(wanted)}" if wanted else f"of all pools ({known})"
    return [
        ("/pools" if wanted else "/defaults/model", f"none {where} serves {model}")
        for model in sorted(set(models))
        if not pools.serving(model, wanted)
    ]
