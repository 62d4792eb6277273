"""The web pages: templates, the words of three languages, and the files beside them."""
