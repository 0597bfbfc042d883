"""The networks as files: manifest, verification, and how they are built from their source packages."""
