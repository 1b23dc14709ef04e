"""torch.jit as a pass-through: what is scripted or traced stays the Python that it was, and says so once.

Programs that annotate for the compiler, ask `is_scripting()`, or script a module for speed run unchanged; what would need a compiled form (its
file, its graph, its code) refuses with a sentence.
"""
from . import annotations
from ._annotate import (
    Attribute,
    Error,
    Final,
    Future,
    TracerWarning,
    _overload,
    _overload_method,
    annotate,
    export,
    fork,
    ignore,
    interface,
    is_scripting,
    is_tracing,
    isinstance,  # noqa: A004 - torch's name
    unused,
    wait,
)
from ._pass_through import (
    CompilationUnit,
    RecursiveScriptModule,
    ScriptFunction,
    ScriptModule,
    TopLevelTracedModule,
    _script_if_tracing,
    enable_onednn_fusion,
    export_opnames,
    freeze,
    last_executed_optimized_graph,
    load,
    onednn_fusion_enabled,
    optimize_for_inference,
    optimized_execution,
    run_frozen_optimizations,
    save,
    script,
    script_if_tracing,
    script_method,
    set_fusion_strategy,
    strict_fusion,
    trace,
    trace_module,
)

__all__ = ["Attribute", "CompilationUnit", "Error", "Final", "Future", "RecursiveScriptModule", "ScriptFunction", "ScriptModule",
           "TopLevelTracedModule", "TracerWarning", "_overload", "_overload_method", "_script_if_tracing", "annotate", "annotations",
           "enable_onednn_fusion", "export", "export_opnames", "fork", "freeze", "ignore", "interface", "is_scripting", "is_tracing", "isinstance",
           "last_executed_optimized_graph", "load", "onednn_fusion_enabled", "optimize_for_inference", "optimized_execution",
           "run_frozen_optimizations", "save", "script", "script_if_tracing", "script_method", "set_fusion_strategy", "strict_fusion",
           "trace", "trace_module", "unused", "wait"]
