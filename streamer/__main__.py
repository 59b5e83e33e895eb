"""`python -m streamer` is the same as the `streamer` command."""

from streamer.cli.entry import main

if __name__ == "__main__":
    main()
