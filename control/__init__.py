"""How a browser, an app, a terminal or a letter reaches the product."""
