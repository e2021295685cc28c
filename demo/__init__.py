"""The demo: three small apps that log in at the panel over OpenID Connect, and what starts it all.

Nothing here imports the product. The apps know it as any app would: by its issuer, over HTTP.
"""
