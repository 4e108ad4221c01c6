"""Files that describe exported generators to engines that run on many machines: Triton, KServe, Ray Serve.

    exported/ -> runtime.load.find_networks (verified) -> triton: a model repository -> kserve: a service over it
                                                       -> ray: the server of zoo.serve in many replicas

May import: zoo.serve and what stands below it, yaml. Never Keras or TensorFlow.
"""
