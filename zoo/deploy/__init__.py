"""Exported generators for engines that run on many machines: Triton, KServe, Ray Serve. Theirs is the serving."""
