"""Stand-ins for names of torch that are not built: they can be imported and compared, and refuse when they are used."""


def is_built(thing):
    """False for the stand-ins of what ringgrad does not build, which refuse with a sentence when they are used."""
    return not getattr(thing, "__ringgrad_refuses__", None)


def stand_in(module, name):
    """A class (capital letter) or function called `name` that raises NotImplementedError when it is called."""
    words = f"{module}.{name} is not built in ringgrad"

    def refuse(*args, **kwargs):
        raise NotImplementedError(words)

    if not name[:1].isupper():
        refuse.__name__ = refuse.__qualname__ = name
        refuse.__module__ = module
        refuse.__ringgrad_refuses__ = words
        return refuse

    class Kind(type):
        def __getattr__(cls, attribute):
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            raise NotImplementedError(f"{words} (its {attribute} was asked for)")

    return Kind(name, (), {"__module__": module, "__doc__": words, "__new__": refuse, "__ringgrad_refuses__": words})
