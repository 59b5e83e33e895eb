"""A TCP proxy on loopback that cuts connections: a network fault without a broker's fault."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Proxy:
    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._copying: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset every connection, wherever in a packet it is, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._open):
            writer.transport.abort()
        while self._copying:
            await asyncio.wait(self._copying)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._open.add(writer)
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(other_writer)
        for source, drain in ((reader, other_writer), (other_reader, writer)):
            task = asyncio.create_task(self._copy(source, drain))
            self._copying.add(task)
            task.add_done_callback(self._copying.discard)

    async def _copy(self, source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        try:
            # An odd size, so that packets are cut anywhere.
            while data := await source.read(77):
                drain.write(data)
                await drain.drain()
        except OSError:
            pass
        finally:
            self._open.discard(drain)
            drain.transport.abort()


@asynccontextmanager
async def proxy(target: int) -> AsyncGenerator[Proxy]:
    link = Proxy(target)
    await link.listen()
    try:
        yield link
    finally:
        await link.cut()
