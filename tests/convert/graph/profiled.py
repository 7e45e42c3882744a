"""Lists the kernels that ONNX Runtime runs for a graph."""

import json
from pathlib import Path

import onnxruntime


def profiled_kernels(bundle, feed, folder):
    """Run the graph of a bundle once on the CPU; return the name and the operator of each kernel that ran, in order."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(bundle.graph_path), options, ["CPUExecutionProvider"])
    session.run(None, feed)
    events = json.loads(Path(session.end_profiling()).read_text())
    return [(event["name"], event["args"]["op_name"]) for event in events if event["name"].endswith("kernel_time")]
