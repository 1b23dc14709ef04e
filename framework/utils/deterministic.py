"""torch.utils.deterministic: whether uninitialised memory is filled where operations have to be deterministic; it never is here."""

fill_uninitialized_memory = True
