"""The one seam to a database: ``seam`` says what the engine needs of it, ``sqlite`` and ``postgresql`` have it."""
