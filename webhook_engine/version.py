"""The version of the package, in one place: the build, the user agent and the command line read it here."""

__version__ = "0.1.0"
