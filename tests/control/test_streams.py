"""Streams leave when the process is asked to end: nothing else would end them, and a server waits for its answers."""

import asyncio
import signal

from control.streams import Streams, leaving_in_time


async def test_a_signal_ends_the_streams_and_still_reaches_whoever_serves() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    streams = Streams(every=3600.0)
    try:
        async with leaving_in_time(streams):
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert [look async for look in streams.looks()] == []
        assert heard == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_with_the_house_its_streams_are_over() -> None:
    streams = Streams(every=3600.0)
    async with leaving_in_time(streams):
        pass
    assert [look async for look in streams.looks()] == []
