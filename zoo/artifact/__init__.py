"""The records of exported/<name>/, read and written: nothing here runs a network.

    manifest.json -> manifest (tensor)    metrics.json, seeds.json -> scores    claims/*.json -> claim_results
    *.onnx -> onnx_header                 all of it for people -> inspect

May import: zoo.core and the standard library.
"""
