"""The exported generators of a folder as a web service: `zoo serve exported/`, or `zoo.serve.app.create_app`.

    request -> middleware (key, log, limits) -> routes_v2 or routes_pictures -> repository -> batching -> zoo.runtime

`protocol` and `written` (texts) know bytes and arrays and no web framework; `batching` knows arrays and no models; only
`app`, `middleware` and the routes know HTTP. May import: zoo.core, zoo.artifact, zoo.runtime, FastAPI. Never Keras,
TensorFlow or YAML.
"""
