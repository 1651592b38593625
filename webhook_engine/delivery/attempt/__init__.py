"""One attempt of a delivery, from its endpoint's state to its recorded outcome."""
