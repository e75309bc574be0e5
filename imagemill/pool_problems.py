"""Checks which pools a submission may name, and puts aliases in the place of models."""

from collections.abc import Iterable, Sequence

from imagemill.domain.pools import Pools


def pool_problems(
    pools: Pools, wanted: Sequence[str], models: Iterable[str], allowed: Sequence[str]
) -> list[tuple[str, str]]:
    """What is wrong with the pools of a submission: (pointer, what would be right).

    ``allowed`` are those that its tenant may use; to it, there are no others.
    """
    known = ", ".join(allowed)
    problems = [
        (f"/pools/{place}", f"there is no pool {name!r}; there are: {known}")
        for place, name in enumerate(wanted)
        if name not in allowed
    ]
    if problems:
        return problems
    return [problem for model in sorted(set(models)) if (problem := _problem(pools, wanted, model, allowed))]


def _problem(
    pools: Pools, wanted: Sequence[str], model: str, allowed: Sequence[str]
) -> tuple[str, str] | None:
    found = [pool.name for pool in pools.serving(model, wanted)]
    known = ", ".join(allowed)
    if not found:
        where = f"of {', '.join(wanted)}" if wanted else f"of all pools ({known})"
        return "/pools" if wanted else "/defaults/model", f"none {where} serves {model}"
    if not wanted and found[0] not in allowed:
        return "/pools", f"name the pools that {model} is to be bought from, of those that there are: {known}"
    return None
