"""The organisation's dashboard: what the relay hands to a browser, which alone can open it, and the pages that do so."""
