"""The exported generators of a folder as a web service: `zoo serve exported/`, or `zoo.serve.app.create_app`.

    request -> access (log, key) -> bodies (limits) -> protocol or friendly -> models -> batching -> zoo.runtime

`protocol` knows bytes and arrays and no web framework; `batching` knows arrays and no models; only `app`, `access`,
`bodies`, `inference`, `friendly` and `pages` know HTTP.
"""
