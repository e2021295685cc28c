"""Writing: the letters that go out with a change, put into the outbox in its transaction."""
