"""A run -> exported/<name>/: ONNX files that explain themselves, checked against Keras before they are kept.

    Run -> exporter -> network_manifest -> to_onnx (onnx_graph) -> runtime.parity -> samples, history -> replace
    precision                                 variants of an exported file (`zoo convert --precision`)
    opset (opset_rules) -> opset_copy         copies with other versions of the operators (`zoo convert --opset`)

May import: zoo.train, zoo.report and what stands below them, TensorFlow, tf2onnx, onnx.
"""
