"""The desk's pages: whoever uses them has logged in."""
