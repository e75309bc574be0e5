"""Cuts by rules of the kernel."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos import isolation
from tests.chaos.ground import Powers
from tests.integration.chaos.cuts import CUTS, CutsContract
from tests.integration.chaos.grounds import Ring, needed
from tests.integration.chaos.grounds import ring as open_ring


class TestNetwork(CutsContract):
    @pytest.fixture
    async def ring(self, tmp_path: Path) -> AsyncIterator[Ring]:
        isolation.lift_loopback()
        powers = Powers.here()
        needed(powers.network)
        async with open_ring(tmp_path, CUTS, powers) as made:
            assert "worker-1" in made.ground.prefixes
            assert not any(made.ground.part_env.values())
            yield made
