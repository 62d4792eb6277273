"""The HTTP doors: one module per URL prefix, each without logic of its own."""
