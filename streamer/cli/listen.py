"""stub"""


def listen() -> None:
    """stub"""
