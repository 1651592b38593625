"""Storage: ``seam`` is the interface that the engine needs, ``sqlite`` and ``postgresql`` implement it."""
