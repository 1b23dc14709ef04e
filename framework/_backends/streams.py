"""Work on a stream of our own for a moment, while the program's stays what it chose."""


class on_stream:  # noqa: N801 - used like a function
    """`with on_stream(cuda, stream):` sends this thread's work to a stream of CuPy's on the current device, and then where it went before.

    cuda: CuPy's module of this name.  CuPy's own `with stream:` goes back to the last stream that was entered so, and forgets one that
    `stream.use()` chose, which is how `ringgrad.cuda.set_stream` chooses: in a capture, what follows would run beside the graph.
    """

    __slots__ = ("before", "cuda", "stream")

    def __init__(self, cuda, stream):
        self.cuda, self.stream = cuda, stream

    def __enter__(self):
        self.before = self.cuda.get_current_stream()
        return self.stream.use()

    def __exit__(self, *error):
        self.before.use()
