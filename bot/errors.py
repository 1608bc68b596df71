"""What ends a command: one sentence for the operator, and the exit status."""


class CommandFailed(Exception):
    """A command could not do what it was asked; the text is one sentence that says what to do.

    `status` is 1 for a failure, 2 for wrong usage or settings.
    """

    def __init__(self, sentence: str, *, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status
