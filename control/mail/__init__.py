"""Mail: how a letter of the outbox reaches people. It is written (templates), handed over (SMTP or a folder), tried
again where it must be, and never waited for by anybody's request.
"""
