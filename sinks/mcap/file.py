"""An MCAP file that grows chunk by chunk, and is whole up to the last one whatever happens."""

import os
from contextlib import suppress
from pathlib import Path

from mcap.writer import CompressionType, Writer

from streamer.logfile import ChannelSpec, Schema

LIBRARY = "imagebind-streamer"
# Chunks are closed by time and size by who writes; this only keeps the library from doing it.
_NEVER = 1 << 62


class McapFile:
    """A `LogFile`. A file of that name must not exist: recordings are never written over.
    `profile`: that of the log it is made of, where it is one of others.

    `fsync`: every closed chunk reaches the disk before the next, which a loss of power needs and
    the end of a process does not.
    """

    def __init__(self, path: Path, *, fsync: bool = False, profile: str = "") -> None:
        self._path = path
        self.chunk_bytes = 0
        self._fsync = fsync
        self._stream = _Whole(path)
        try:
            self._writer = self._started(profile)
        except OSError:
            self._stream.abandon()
            raise
        self._channels: dict[ChannelSpec, int] = {}
        self._schemas: dict[Schema, int] = {}
        self._counts: dict[int, int] = {}

    def _started(self, profile: str) -> Writer:
        # Typed for files of the system, it writes to and asks for the place of any.
        writer = Writer(
            self._stream,  # pyright: ignore[reportArgumentType]
            chunk_size=_NEVER,
            compression=CompressionType.LZ4,
            enable_data_crcs=True,
        )
        writer.start(profile=profile, library=LIBRARY)
        if self._fsync:
            # The name of a new file is in its folder.
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return writer

    @property
    def path(self) -> Path:
        return self._path

    @property
    def bytes_written(self) -> int:
        return self._stream.tell()

    def message(
        self,
        channel: ChannelSpec,
        log_ns: int,
        sensor_ns: int,
        payload: bytes,
        sequence: int | None = None,
    ) -> None:
        """Numbered as they come, unless they have a number already."""
        number = self._channel(channel)
        count = self._counts[number] = self._counts.get(number, -1) + 1
        count = count if sequence is None else sequence
        self._writer.add_message(number, log_ns, payload, sensor_ns, count & 0xFFFFFFFF)
        self.chunk_bytes += len(payload)

    def metadata(self, name: str, data: dict[str, str]) -> None:
        self._writer.add_metadata(name, data)
        self._settle()

    def attachment(
        self, name: str, media_type: str, data: bytes, log_ns: int, created_ns: int
    ) -> None:
        self._writer.add_attachment(created_ns, log_ns, name, media_type, data)
        self._settle()

    def close_chunk(self) -> None:
        self._writer.flush()
        self.chunk_bytes = 0
        self._settle()

    def close(self) -> None:
        """With the summary and the indexes, by which readers find their way."""
        self._writer.finish()
        self._settle()
        self._stream.close()

    def abandon(self) -> None:
        self._stream.abandon()

    def _settle(self) -> None:
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


class _Whole:
    """A new file, unbuffered: what has been written is the system's, and ends with a whole record.

    A buffer would hold back what a kill then takes, and try once more on a full disk.
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("xb", buffering=0)
        self._whole = 0

    def write(self, data: bytes) -> int:
        """All of it, which are whole records: the system may take less at a time."""
        left = memoryview(data)
        while left:
            left = left[self._raw.write(left) :]
        self._whole += len(data)
        return len(data)

    def tell(self) -> int:
        return self._whole

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()

    def abandon(self) -> None:
        """Close it without the record that was being written, unless it is closed."""
        if self._raw.closed:
            return
        with suppress(OSError):
            os.ftruncate(self._raw.fileno(), self._whole)
        with suppress(OSError):
            self._raw.close()
