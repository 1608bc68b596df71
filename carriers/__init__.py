"""A telephone company and Telegram to practise with: real HTTP, own signatures, faults on demand.

Only aiohttp and the standard library may be imported here. No other room, no provider's library, and
nothing shared with channels/: a mistake made on both sides would hide itself.
"""
