"""What cuts do, whoever makes them: the kernel or proxies."""

from tests.integration.chaos.grounds import Ring

CUTS = [
    {"kind": "cut", "client": client, "server": server, "how": how}
    for client in ("worker-1", "worker-2")
    for server in ("store", "image-api")
    for how in ("drop", "reset", "lose-replies")
]


class CutsContract:
    """Each test is given a `ring`, whose links are whole."""

    async def test_what_is_dropped_arrives_once_the_link_is_mended(self, ring: Ring) -> None:
        talker, store = await ring.talker("worker-1"), ring.servers["store"]
        await ring.ground.cut("worker-1", "store", "drop")
        assert await talker.does("say 1 dropped") == "TimeoutError"
        assert "dropped" not in store.heard
        await ring.ground.mend("worker-1", "store", "drop")
        await talker.until("hear 1", "dropped")
        assert store.heard.count("dropped") == 1

    async def test_a_reset_strikes_connections_that_are_open_and_new_ones(self, ring: Ring) -> None:
        talker, store = await ring.talker("worker-1"), ring.servers["store"]
        await ring.ground.cut("worker-1", "store", "reset")
        assert await talker.does("say 1 lost") in ("ConnectionResetError", "BrokenPipeError")
        opened = await talker.does("open 2")
        if opened == "opened":
            assert await talker.does("say 2 lost") in ("ConnectionResetError", "BrokenPipeError")
        else:
            assert opened in ("ConnectionRefusedError", "ConnectionResetError")
        assert "lost" not in store.heard
        await ring.ground.mend("worker-1", "store", "reset")
        assert await talker.does("open 3") == "opened"
        assert await talker.does("say 3 again") == "again"

    async def test_where_replies_are_lost_the_work_is_done_and_nobody_hears_of_it(self, ring: Ring) -> None:
        talker, store = await ring.talker("worker-1"), ring.servers["store"]
        await ring.ground.cut("worker-1", "store", "lose-replies")
        assert await talker.does("say 1 work") == "TimeoutError"
        assert await talker.does("open 2") == "opened"
        assert await talker.does("say 2 more") == "TimeoutError"
        await store.has_heard("work")
        await store.has_heard("more")
        await ring.ground.mend("worker-1", "store", "lose-replies")
        await talker.until("say 1 after", "ConnectionResetError")
        assert await talker.does("open 3") == "opened"
        assert await talker.does("say 3 again") == "again"

    async def test_other_links_are_whole_meanwhile(self, ring: Ring) -> None:
        others = [await ring.talker("worker-2"), await ring.talker("worker-1", "image-api")]
        for how in ("drop", "reset", "lose-replies"):
            await ring.ground.cut("worker-1", "store", how)
            assert [await other.does("say 1 fine") for other in others] == ["fine", "fine"]

    async def test_mending_one_cut_leaves_the_others(self, ring: Ring) -> None:
        first, second = await ring.talker("worker-1"), await ring.talker("worker-2")
        await ring.ground.cut("worker-1", "store", "lose-replies")
        await ring.ground.cut("worker-2", "store", "drop")
        await ring.ground.cut("worker-1", "store", "drop")
        await ring.ground.mend("worker-1", "store", "lose-replies")
        assert await first.does("say 1 first") == "TimeoutError"
        assert await second.does("say 1 second") == "TimeoutError"
        assert not {"first", "second"} & set(ring.servers["store"].heard)
        await ring.ground.mend("worker-1", "store", "drop")
        await first.until("hear 1", "first")
        assert "second" not in ring.servers["store"].heard

    async def test_mending_what_is_whole_does_nothing(self, ring: Ring) -> None:
        await ring.ground.mend("worker-1", "store", "drop")
        assert await (await ring.talker("worker-1")).does("say 1 fine") == "fine"
