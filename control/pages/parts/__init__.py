"""What several pages are made of: forms, fields, rows, lines of history. Nothing here has a door of its own."""
