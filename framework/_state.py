"""What is switched on in this thread: gradient recording, a tracer, the default device, ...

Thread-local, because the `local` process group runs ranks as threads.  The engine runs a backward pass in the thread that asked for it, so
it inherits these.  Class attributes are the values a new thread starts with.
"""
import threading


class _State(threading.local):
    grad = True  # record operations for the backward pass
    inference = False  # new tensors can never enter a graph, and skip version tracking
    tracer = None  # called as tracer(op, inputs, attrs) in place of every operation: autocast, anomaly mode, profiler, JIT
    device = None  # default device of creation functions; None is the CPU
    devices = ()  # the default devices to return to, innermost last
    anomaly = False  # check gradients for NaN, name the forward line at fault
    backward = None  # the backward pass that is running (engine._Pass); None outside of one
    saved_hooks = ()  # (pack, unpack) pairs of saved_tensors_hooks, innermost last; only the last is in force
    capture = None  # the CUDA graph that is being captured (cuda/_capture.Capture)
    stepper = None  # the step that compile_step runs, which wants to know of optimizers, schedules and scalers (optim/_captured.Record)
    saved_hooks_refused = None  # why saved_tensors_hooks may not be entered: the message of its RuntimeError


state = _State()
