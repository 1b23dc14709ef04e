"""no_grad, enable_grad, set_grad_enabled and inference_mode, as context managers, decorators and functions."""
from .script import Script

SCRIPTS = [
    Script("no_grad as a context", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.no_grad():
            y = x * 2
            inside = T.is_grad_enabled()
        z = x * 2
    """, "y; y.is_leaf; z; inside; T.is_grad_enabled()"),
    Script("no_grad as a decorator, with and without parentheses", """
        @T.no_grad()
        def f(x):
            "Doubles."
            return x * 2, T.is_grad_enabled()
        @T.no_grad
        def g(x):
            return x * 2, T.is_grad_enabled()
        x = T.tensor([1.0, 2.0], requires_grad=True)
    """, "f(x); g(x); f.__name__; f.__doc__; T.is_grad_enabled()"),
    Script("a decorated function that calls itself", """
        @T.no_grad()
        def f(x, n):
            return x if n == 0 else f(x * 2, n - 1)
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = f(x, 3)
    """, "y; T.is_grad_enabled()"),
    Script("a decorated method", """
        class Model:
            @T.no_grad()
            def forward(self, x):
                return x * 2
        x = T.tensor([1.0, 2.0], requires_grad=True)
    """, "Model().forward(x)"),
    Script("a decorated generator has its own mode while it runs", """
        @T.no_grad()
        def numbers():
            for i in range(3):
                seen.append(T.is_grad_enabled())
                yield i
        seen = []
        for i in numbers():
            seen.append(T.is_grad_enabled())
    """, "seen"),
    Script("enable_grad below no_grad", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.no_grad():
            with T.enable_grad():
                y = x * x
            z = x * x
        y.sum().backward()
    """, "y; z; x.grad"),
    Script("enable_grad as a decorator", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        @T.enable_grad()
        def f(x):
            return x * x
        with T.no_grad():
            y = f(x)
    """, "y"),
    Script("an exception restores the mode", """
        try:
            with T.no_grad():
                raise KeyError
        except KeyError:
            pass
        a = T.is_grad_enabled()
        try:
            with T.inference_mode():
                raise KeyError
        except KeyError:
            pass
    """, "a; T.is_grad_enabled(); T.is_inference_mode_enabled()"),
    Script("set_grad_enabled as a function", """
        seen = []
        T.set_grad_enabled(False)
        seen.append(T.is_grad_enabled())
        T.set_grad_enabled(True)
        seen.append(T.is_grad_enabled())
    """, "seen"),
    Script("set_grad_enabled as a context", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        seen = []
        for train in (True, False):
            with T.set_grad_enabled(train):
                seen.append((x * 2).requires_grad)
            seen.append(T.is_grad_enabled())
    """, "seen"),
    Script("set_grad_enabled as a decorator", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        @T.set_grad_enabled(False)
        def f(x):
            return x * 2
        before = T.is_grad_enabled()
        y = f(x)
    """, "before; y; T.is_grad_enabled()"),
    Script("set_grad_enabled(True) below no_grad", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.no_grad():
            T.set_grad_enabled(True)
            y = x * 2
        z = T.is_grad_enabled()
    """, "y; z"),
    Script("a context used twice", """
        mode = T.no_grad()
        seen = []
        for _ in range(2):
            with mode:
                seen.append(T.is_grad_enabled())
            seen.append(T.is_grad_enabled())
    """, "seen"),
    Script("modes nested crosswise", """
        seen = []
        with T.no_grad():
            with T.set_grad_enabled(True):
                with T.no_grad():
                    seen.append(T.is_grad_enabled())
                seen.append(T.is_grad_enabled())
            seen.append(T.is_grad_enabled())
        seen.append(T.is_grad_enabled())
    """, "seen"),
    Script("a leaf made under no_grad may require grad", """
        with T.no_grad():
            x = T.tensor([1.0, 2.0], requires_grad=True)
            w = T.ones(2).requires_grad_()
        (x * x * w).sum().backward()
    """, "x.grad; w.grad"),
    Script("in-place without recording keeps history", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        with T.no_grad():
            y.add_(10)
        y.sum().backward()
    """, "y; x.grad"),
    Script("a view made without recording requires none", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.no_grad():
            v = x[0]
    """, "v.tolist(); v.is_leaf; v.grad_fn"),
    Script("inference_mode as a context", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.inference_mode():
            y = x * 2
            inside = T.is_inference_mode_enabled(), T.is_grad_enabled()
    """, "y; inside; y.is_inference(); x.is_inference(); T.is_inference_mode_enabled()"),
    Script("inference_mode as a decorator", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        @T.inference_mode()
        def f(x):
            return x * 2
        @T.inference_mode
        def g(x):
            return x * 2
    """, "f(x); g(x); f(x).is_inference(); g(x).is_inference()"),
    Script("inference_mode(False) does nothing outside", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.inference_mode(False):
            y = x * 2
    """, "y; y.is_inference()"),
    Script("inference_mode(False) inside inference_mode", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.inference_mode():
            with T.inference_mode(False):
                y = x * 2
                seen = T.is_inference_mode_enabled(), T.is_grad_enabled()
        y.sum().backward()
    """, "y; seen; y.is_inference(); x.grad"),
    Script("an inference tensor cannot be saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.inference_mode():
            c = T.ones(2) * 3
        x * c
    """, raises="Inference tensors cannot be saved for backward"),
    Script("an inference tensor may take part where it is not saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.inference_mode():
            c = T.ones(2) * 3
        (x + c).sum().backward()
    """, "x.grad"),
    Script("a clone of an inference tensor is a normal one", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.inference_mode():
            c = T.ones(2) * 3
        d = c.clone()
        (x * d).sum().backward()
    """, "x.grad; d.is_inference(); c.is_inference()"),
    Script("an inference tensor written outside", """
        with T.inference_mode():
            c = T.ones(2) * 3
        c.add_(1)
    """, raises="Inplace update to inference tensor outside InferenceMode"),
    Script("an inference tensor written inside", """
        with T.inference_mode():
            c = T.ones(2) * 3
            c.add_(1)
            c[0] = 7.0
    """, "c"),
    Script("an inference tensor made to require grad outside", """
        with T.inference_mode():
            c = T.ones(2) * 3
        c.requires_grad_()
    """, raises="requires_grad=True on inference tensor outside InferenceMode"),
    Script("a normal tensor written in inference mode", """
        x = T.tensor([1.0, 2.0])
        with T.inference_mode():
            x.add_(1)
        w = T.tensor([1.0, 1.0], requires_grad=True)
        (x * w).sum().backward()
    """, "x; x.is_inference(); w.grad"),
    Script("creation in inference mode", """
        with T.inference_mode():
            made = [T.zeros(2).is_inference(), T.tensor([1.0]).is_inference(), T.arange(3).is_inference()]
    """, "made"),
    Script("a view of an inference tensor outside", """
        with T.inference_mode():
            c = T.ones(2, 2)
        v = c[0]
    """, "v; v.is_inference()"),
    Script("grad mode is off in backward and on under create_graph", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.register_hook(lambda g: seen.append(T.is_grad_enabled()))
        T.autograd.grad((y * y).sum(), x, retain_graph=True)
        T.autograd.grad((y * y).sum(), x, create_graph=True)
    """, "seen; T.is_grad_enabled()"),
    Script("backward under no_grad works", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        with T.no_grad():
            y.backward()
            still = T.is_grad_enabled()
    """, "x.grad; still"),
    Script("a new thread starts with recording on", """
        import threading
        seen = []
        with T.no_grad():
            t = threading.Thread(target=lambda: seen.append(T.is_grad_enabled()))
            t.start()
            t.join()
            seen.append(T.is_grad_enabled())
    """, "seen"),
    Script("anomaly mode finds the NaN", """
        x = T.tensor([0.0, 1.0], requires_grad=True)
        with T.autograd.set_detect_anomaly(True):
            y = (x.sqrt() * 0).sum()
            y.backward()
    """, raises="returned nan values in its 0th output"),
    Script("anomaly mode that looks for no NaN", """
        x = T.tensor([0.0, 1.0], requires_grad=True)
        with T.autograd.set_detect_anomaly(True, check_nan=False):
            inside = T.is_anomaly_enabled()
            (x.sqrt() * 0).sum().backward()
    """, "x.grad.isnan(); inside; T.is_anomaly_enabled()"),
    Script("detect_anomaly is off again afterwards", """
        x = T.tensor([0.0, 1.0], requires_grad=True)
        with T.autograd.detect_anomaly():
            (x * 2).sum().backward()
        (x.sqrt() * 0).sum().backward()
    """, "x.grad.isnan()"),
]
