"""How the tests hold functions to the types and shapes in their signatures."""

from beartype import BeartypeConf, beartype


class UnfitArgumentWarning(UserWarning):
    """An argument is not what the signature says; the function itself must refuse or convert it."""


check_returned = beartype(conf=BeartypeConf(violation_param_type=UnfitArgumentWarning))
