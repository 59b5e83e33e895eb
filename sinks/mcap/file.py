"""An MCAP file that grows chunk by chunk, and is whole up to the last one whatever happens."""

import os
from pathlib import Path

from mcap.writer import CompressionType, Writer

from streamer.logfile import ChannelSpec, Schema

LIBRARY = "imagebind-streamer"
# Chunks are closed by time and size by who writes; this only keeps the library from doing it.
_NEVER = 1 << 62


class McapFile:
    """A `LogFile`. A file of that name must not exist: recordings are never written over.

    `fsync`: every closed chunk reaches the disk before the next, which a loss of power needs and
    the end of a process does not.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.path = path
        self.chunk_bytes = 0
        self._fsync = fsync
        self._stream = path.open("xb")
        self._writer = Writer(
            self._stream,
            chunk_size=_NEVER,
            compression=CompressionType.LZ4,
            enable_data_crcs=True,
        )
        self._writer.start(profile="", library=LIBRARY)
        self._channels: dict[ChannelSpec, int] = {}
        self._schemas: dict[Schema, int] = {}
        self._counts: dict[int, int] = {}

    @property
    def bytes_written(self) -> int:
        return self._stream.tell()

    def message(self, channel: ChannelSpec, log_ns: int, sensor_ns: int, payload: bytes) -> None:
        number = self._channel(channel)
        count = self._counts[number] = self._counts.get(number, -1) + 1
        self._writer.add_message(number, log_ns, payload, sensor_ns, count & 0xFFFFFFFF)
        self.chunk_bytes += len(payload)

    def metadata(self, name: str, data: dict[str, str]) -> None:
        self._writer.add_metadata(name, data)
        self._settle()

    def close_chunk(self) -> None:
        self._writer.flush()
        self.chunk_bytes = 0
        self._settle()

    def close(self) -> None:
        """With the summary and the indexes, by which readers find their way."""
        try:
            self._writer.finish()
            self._settle()
        finally:
            self._stream.close()

    def _settle(self) -> None:
        self._stream.flush()
        if self._fsync:
            os.fsync(self._stream.fileno())

    def _channel(self, spec: ChannelSpec) -> int:
        number = self._channels.get(spec)
        if number is None:
            schema = 0 if spec.schema is None else self._schema(spec.schema)
            number = self._writer.register_channel(
                spec.topic, spec.encoding, schema, dict(spec.metadata)
            )
            self._channels[spec] = number
        return number

    def _schema(self, schema: Schema) -> int:
        if schema not in self._schemas:
            self._schemas[schema] = self._writer.register_schema(
                schema.name, schema.encoding, schema.data
            )
        return self._schemas[schema]
