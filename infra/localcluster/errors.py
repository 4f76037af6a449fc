"""What can go wrong, told to the person who ran the command.

LocalClusterError           the thing, the cause and the next step
└── ApiError                the API server refused a request
"""


class LocalClusterError(Exception):
    """Something that a person has to know or do; the text is for them."""


class ApiError(LocalClusterError):
    """The API server refused a request.

    Attributes:
        status: The HTTP status.
        reason: The API server's word for it, such as `NotFound`.
        message: The API server's own sentence.
    """

    def __init__(self, request: str, status: int, reason: str, message: str) -> None:
        super().__init__(
            f"the API server refused {request} ({status} {reason}): {message}; correct that and run it again"
        )
        self.status = status
        self.reason = reason
        self.message = message
