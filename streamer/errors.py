"""The errors a user can meet. Anything else is a bug and ends the run with its own traceback."""


class StreamerError(Exception):
    """Base of the expected errors. The message names what was expected and what came."""


class ConfigError(StreamerError):
    """The configuration asks for something impossible; the message starts with the field's path."""


class SourceLost(StreamerError):
    """A source cannot deliver: device gone, file damaged, no such track."""


class SourceStalled(SourceLost):
    """A source is there but delivers nothing, or nothing new: it hangs."""


class EncoderFailed(StreamerError):
    """The encoder cannot be built or cannot encode: wrong checkpoint, no such device."""


class SinkLost(StreamerError):
    """A sink cannot deliver: broker unreachable or refusing, disk full."""
